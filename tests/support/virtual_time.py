"""An event loop whose clock jumps: when every task waits, time moves to the next timer immediately.

Code that asks the loop for the time (``loop.time``, ``call_later``, ``asyncio.sleep``, ``asyncio.timeout``) runs
unchanged, and a test of an hour takes milliseconds. Not for tests with real sockets and processes, which
do not follow this clock; data that is in a pipe already is read as usual.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Deadlock(AssertionError):
    """Every task waits and no timer is set."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits; moves the clock by the time it would have waited."""

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
        Deadlock: every task waits and no timer is set.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a test of an ``async def``; see :func:`run_virtual`."""

    @functools.wraps(test)
    def run(*args: P.args, **keys: P.kwargs) -> T:
        return run_virtual(test(*args, **keys))

    return run


async def turns(count: int = 5) -> None:
    """Run everything that is ready, without moving the clock."""
    for _ in range(count):
        await asyncio.sleep(0)
