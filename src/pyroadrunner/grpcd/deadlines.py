"""Ends calls whose deadline has passed. One tick checks all of them: no timer per call."""

from __future__ import annotations

import asyncio

_TICK = 0.02  # seconds; clients keep their own clock, so this is only as exact as they need

PASSED = "the deadline of the call has passed"  # the message with which a task is cancelled


class Deadlines:
    """The deadlines of the running calls."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Deadlines({len(self._tasks)})"

    def add(self, task: asyncio.Task[None], timeout: float) -> None:
        """Cancel a task with :data:`PASSED` after so many seconds, unless it is discarded before."""
        self._tasks[task] = self._loop.time() + timeout
        if self._timer is None:
            self._timer = self._loop.call_later(min(_TICK, timeout), self._tick)

    def discard(self, task: asyncio.Task[None]) -> None:
        """The call has ended."""
        self._tasks.pop(task, None)

    def _tick(self) -> None:
        now = self._loop.time()
        passed = [task for task, until in self._tasks.items() if until <= now]
        for task in passed:
            del self._tasks[task]
            task.cancel(PASSED)
        self._timer = self._loop.call_later(_TICK, self._tick) if self._tasks else None
