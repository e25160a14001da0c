"""What signals mean to a running server. (rpc-cli-config.md, section 2.2)"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)
_TURNS_SECONDS = 0.01  # for the loop to act on a signal that Python has taken already


class Signals:
    """Watches for signals from :meth:`watch` to :meth:`unwatch`.

    Attributes:
        stop: set once the server is to stop.
        restart: whether it is to start again afterwards.
        takeover: set at each SIGUSR2; whoever acts on it clears it, and calls :meth:`start_again` when it has worked.
        hang_up: set at each SIGHUP; whoever acts on it clears it.

    Args:
        grace: tells the seconds a stop may take, for the line that says so.
        say: prints a line on stdout.
        on_stop: called by the first signal that asks for a stop, also while the server stops in order to start again.
        exit_now: ends the process; called by the second signal.
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
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)  # the process that executed us may have held one back
        self._handle(signal.SIGUSR2, self.takeover.set)
        # A terminal that closes must not kill the server without a clean-up, as it does with RoadRunner.
        self._handle(signal.SIGHUP, self.hang_up.set)
        # A handler that does nothing, since ignoring it would be inherited by the workers.
        self._handle(signal.SIGUSR1, lambda: None)

    def _handle(self, number: signal.Signals, act: Callable[[], object]) -> None:
        """Have the loop act on a signal, once each time it comes.

        Not ``loop.add_signal_handler``: uvloop (0.23, ``Loop._invoke_signals``) acts twice on a signal that comes right
        after another one, and the second SIGTERM is the one that ends the server at once. The loop has to be uvloop's:
        it wakes up for handlers that are not its own, too.
        """
        loop = asyncio.get_running_loop()
        main = threading.main_thread().ident or 0

        def handle(_number: int, _frame: object) -> None:
            if not self._held:
                loop.call_soon_threadsafe(act)
            elif number in STOP:  # a thread of an extension has taken it, and this one is to keep it
                signal.pthread_kill(main, number)

        signal.signal(number, handle)
        signal.siginterrupt(number, False)

    def unwatch(self) -> None:
        """Back to what signals do by default; those that are held (:meth:`hold`) stay so."""
        if self._held:
            return
        for number in (*STOP, signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    async def hold(self) -> None:
        """Before a restart: keep stop signals pending from here on, for the process that comes after exec.

        Those that have come are still acted on: look at :attr:`restart` again afterwards. When it is false, nothing is
        held back.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        self._held = True
        await asyncio.sleep(_TURNS_SECONDS)
        if not self.restart:
            self._held = False
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)

    def on_stop(self) -> None:
        """The first asks for an ordered stop; `rr stop --force` and Ctrl-C in Octane rely on what the second does."""
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
        """Stop, in order to start again; a stop signal that comes meanwhile makes it a stop."""
        if not self._asked:
            self.restart = True
            self.stop.set()
