"""Deadlines without a timer per call: one check of all, repeated while there are deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.log import Log

log = Log("server")


class Ticker:
    """Calls ``check`` every ``interval`` seconds from the first :meth:`arm` until ``check`` returns ``False``.

    Args:
        check: called with the loop's time; returns whether to call it again.
    """

    __slots__ = ("_check", "_handle", "_interval", "_loop")

    def __init__(self, interval: float, check: Callable[[float], bool]) -> None:
        self._interval = interval
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Ticker(every {self._interval} s, {'armed' if self._handle else 'idle'})"

    def arm(self) -> None:
        """Start checking: there is a deadline. Cheap, idempotent."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._interval, self._tick)

    def stop(self) -> None:
        """Stop checking. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        self._handle = None
        again = True  # also after an error: without the next tick the pool would keep no deadline
        try:
            again = self._check(self._loop.time())
        except Exception as error:
            log.error("checking deadlines failed; retrying", error=repr(error))
        finally:
            if again:
                self.arm()
