"""Handle the signals of a running server (rpc-cli-config.md, section 2.2)."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)
_TURNS_SECONDS = 0.01  # time for the loop to handle a signal that Python has already received


class Signals:
    """Handles signals between :meth:`watch` and :meth:`unwatch`.

    Attributes:
        stop: set when the server must stop.
        restart: whether the process must start again after the stop.
        takeover: set by each SIGUSR2; the handler clears it, and calls :meth:`start_again` after a successful takeover.
        hang_up: set by each SIGHUP; the handler clears it.

    Args:
        grace: returns the seconds a stop may take, for the printed line.
        say: prints a line on stdout.
        on_stop: called for the first stop signal, also during the stop of a restart.
        exit_now: ends the process; called for the second stop signal.
    """

    def __init__(
        self,
        grace: Callable[[], float],
        say: Callable[[str], None],
        on_stop: Callable[[], None],
        exit_now: Callable[[], None],
    ) -> None:
        self.stop = asyncio.Event()
        self.hang_up = asyncio.Event()
        self.takeover = asyncio.Event()
        self.restart = False
        self._asked = False
        self._held = False
        self._grace = grace
        self._say = say
        self._on_stop = on_stop
        self._exit_now = exit_now

    def __repr__(self) -> str:
        return f"Signals(stop={self.stop.is_set()}, restart={self.restart})"

    def watch(self) -> None:
        for number in STOP:
            self._handle(number, self.on_stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)  # the process that executed us may have blocked it
        self._handle(signal.SIGUSR2, self.takeover.set)
        # Closing the terminal must not kill the server without cleanup, as it does in RoadRunner.
        self._handle(signal.SIGHUP, self.hang_up.set)
        # A handler that does nothing: SIG_IGN would be inherited by the workers.
        self._handle(signal.SIGUSR1, lambda: None)

    def _handle(self, number: signal.Signals, act: Callable[[], object]) -> None:
        """Run ``act`` in the loop once per received signal.

        Not ``loop.add_signal_handler``: uvloop (0.23, ``Loop._invoke_signals``) calls the handler twice for a signal
        that arrives right after another one, and the second SIGTERM ends the server immediately. The loop must be
        uvloop's: it also wakes up for handlers that it did not install.
        """
        loop = asyncio.get_running_loop()
        main = threading.main_thread().ident or 0

        def handle(_number: int, _frame: object) -> None:
            if not self._held:
                loop.call_soon_threadsafe(act)
            elif number in STOP:  # delivered to a thread of an extension; this thread must keep it pending
                signal.pthread_kill(main, number)

        signal.signal(number, handle)
        signal.siginterrupt(number, False)

    def unwatch(self) -> None:
        """Restore the default handlers; signals blocked by :meth:`hold` stay blocked."""
        if self._held:
            return
        for number in (*STOP, signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    async def hold(self) -> None:
        """Before a restart: keep stop signals pending from here on, for the process after exec.

        Signals received before are still handled, so check :attr:`restart` again afterwards. If it is false, no signal
        is blocked.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        self._held = True
        await asyncio.sleep(_TURNS_SECONDS)
        if not self.restart:
            self._held = False
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)

    def on_stop(self) -> None:
        """The first signal starts a graceful stop, the second exits immediately (`rr stop --force` and Octane rely on
        it)."""
        if self._asked:
            self._say("exit forced")
            self._exit_now()
            return
        self._asked = True
        self.restart = False
        self._say(f"stop signal received, grace timeout is: {self._grace():g} seconds")
        self.stop.set()
        self._on_stop()

    def start_again(self) -> None:
        """Stop in order to restart; a stop signal received meanwhile makes it a final stop."""
        if not self._asked:
            self.restart = True
            self.stop.set()
