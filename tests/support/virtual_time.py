"""An event loop with a virtual clock: when every task waits, time jumps to the next timer.

Code that uses the time of the loop (``loop.time``, ``call_later``, ``asyncio.sleep``, ``asyncio.timeout``) runs
unchanged, and a test of an hour takes milliseconds. Only for tests without real sockets, pipes and processes: their
time is real.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(AssertionError):
    """Every task waits and no timer is set, so nothing can happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits; advances the clock by the time it would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise Deadlock("every task waits, and no timer is set")
        if not events and timeout is not None:
            self.now += max(timeout, 0.0)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop with a clock that starts at 1000 s."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        self._clock.now = 1000.0
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine in virtual time.

    Raises:
        Deadlock: it waits for an event that can't happen.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


async def turns(count: int = 5) -> None:
    """Run everything that is ready, without moving the clock."""
    for _ in range(count):
        await asyncio.sleep(0)
