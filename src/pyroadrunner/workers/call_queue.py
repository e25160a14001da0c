"""Calls and lease requests that wait for a worker, and which is next. Pure.

Two policies, chosen by the plugin that makes the pool:

- ``FIFO``: lower priority numbers first; among equal ones, the oldest first.
- ``ADAPTIVE_LIFO``, for clients that disconnect after a long wait: the oldest first. In an overload (the oldest has
  waited a second) the newest first, so that impatient clients are served in time. An entry that has waited for
  ``max_lifo_wait`` goes first again, so no entry is passed over for longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any, Protocol

OVERLOADED_AFTER = 1.0  # seconds the oldest may wait before the newest goes first


class QueuePolicy(Enum):
    """The order in which a pool serves waiting calls; see the module."""

    FIFO = "fifo"
    ADAPTIVE_LIFO = "adaptive_lifo"


class Entry(Protocol):
    """A call, or a request for a lease.

    Attributes:
        answer: done when it no longer needs a worker.
        accepted: when it arrived, seconds of any steady clock; its age counts from then.
        waits_since: the same, for ``wait_timeout``; see :class:`~pyroadrunner.workers.call.Call`.
        wait_timeout: seconds it may wait; ``None`` = the pool's ``allocate_timeout``.
    """

    @property
    def answer(self) -> Any: ...
    @property
    def accepted(self) -> float: ...
    @property
    def waits_since(self) -> float: ...
    @property
    def wait_timeout(self) -> float | None: ...
    @property
    def priority(self) -> int: ...

    def fail(self, error: Exception) -> None: ...


class CallQueue:
    """Entries by priority and age, including calls that a worker handed back. Answered or cancelled entries may stay
    for a while; they are skipped.

    Args:
        max_lifo_wait: for ``ADAPTIVE_LIFO``: seconds; 0 = the oldest is always first.
    """

    __slots__ = ("_levels", "_policy", "max_lifo_wait")

    def __init__(self, policy: QueuePolicy = QueuePolicy.FIFO, max_lifo_wait: float = 0.0) -> None:
        self._policy = policy
        self._levels: dict[int, deque[Entry]] = {}  # by priority, in ascending order; each sorted by age
        self.max_lifo_wait = max_lifo_wait

    def __repr__(self) -> str:
        return f"CallQueue({self._policy.value}, {len(self)})"

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))

    def __bool__(self) -> bool:
        return bool(self._levels)

    def __iter__(self) -> Iterator[Entry]:
        for level in self._levels.values():
            yield from level

    def push(self, entry: Entry) -> None:
        """Add an entry at its place by priority and age."""
        priority = entry.priority if self._policy is QueuePolicy.FIFO else 0
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = deque()
            if len(self._levels) > 1:
                self._levels = dict(sorted(self._levels.items()))
        if not level or level[-1].accepted <= entry.accepted:
            level.append(entry)
            return
        place = 0
        while level[place].accepted <= entry.accepted:  # a call handed back is nearly always the oldest
            place += 1
        level.insert(place, entry)

    def pop(self, now: float) -> Entry | None:
        """Remove and return the next entry that is not done; ``None`` if the queue is empty."""
        while self._levels:
            priority, level = next(iter(self._levels.items()))
            newest_first = (
                self._policy is QueuePolicy.ADAPTIVE_LIFO
                and OVERLOADED_AFTER < now - level[0].accepted < self.max_lifo_wait
            )
            entry = level.pop() if newest_first else level.popleft()
            if not level:
                del self._levels[priority]
            if not entry.answer.done():
                return entry
        return None

    def oldest_wait(self, now: float) -> float:
        """Seconds since the oldest entry was accepted; 0.0 if the queue is empty."""
        for priority, level in list(self._levels.items()):
            while level and level[0].answer.done():
                level.popleft()
            if not level:
                del self._levels[priority]
        return now - min(level[0].accepted for level in self._levels.values()) if self._levels else 0.0

    def take_late(self, now: float, timeout: float) -> list[Entry]:
        """Remove and return entries that have waited too long; drop those that are done.

        Args:
            timeout: seconds, for entries without a ``wait_timeout`` of their own.
        """
        late: list[Entry] = []
        for priority, level in list(self._levels.items()):
            kept: deque[Entry] = deque()
            for entry in level:
                limit = timeout if entry.wait_timeout is None else entry.wait_timeout
                if entry.answer.done():
                    continue
                (late if now - entry.waits_since >= limit else kept).append(entry)
            if kept:
                self._levels[priority] = kept
            else:
                del self._levels[priority]
        return late

    def clear(self) -> list[Entry]:
        """Remove all entries; return those that are not done."""
        entries = [entry for entry in self if not entry.answer.done()]
        self._levels.clear()
        return entries
