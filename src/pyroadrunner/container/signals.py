"""What signals mean to a running server. (rpc-cli-config.md, section 2.2)"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)


class Signals:
    """Watches for signals from :meth:`watch` to :meth:`unwatch`.

    Attributes:
        stop: set once the server is to stop.
        restart: whether it is to start again afterwards.
        hand_over: set at each SIGUSR2; whoever acts on it clears it, and calls :meth:`start_again` when it has worked.
        hang_up: set at each SIGHUP; whoever acts on it clears it.

    Args:
        grace: tells the seconds a stop may take, for the line that says so.
        say: prints a line on stdout.
        exit_now: ends the process; called by the second signal.
    """

    def __init__(self, grace: Callable[[], float], say: Callable[[str], None], exit_now: Callable[[], None]) -> None:
        self.stop = asyncio.Event()
        self.hang_up = asyncio.Event()
        self.hand_over = asyncio.Event()
        self.restart = False
        self._asked = False
        self._grace = grace
        self._say = say
        self._exit_now = exit_now

    def __repr__(self) -> str:
        return f"Signals(stop={self.stop.is_set()}, restart={self.restart})"

    def watch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP:
            loop.add_signal_handler(number, self.on_stop)
        loop.add_signal_handler(signal.SIGUSR2, self.hand_over.set)
        # A terminal that closes must not kill the server without a clean-up, as it does with RoadRunner.
        loop.add_signal_handler(signal.SIGHUP, self.hang_up.set)
        # A handler that does nothing, since ignoring it would be inherited by the workers.
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)

    def unwatch(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (*STOP, signal.SIGUSR2, signal.SIGHUP, signal.SIGUSR1):
            loop.remove_signal_handler(number)

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

    def start_again(self) -> None:
        """Stop, in order to start again; a stop signal that comes meanwhile makes it a stop."""
        if not self._asked:
            self.restart = True
            self.stop.set()
