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
    for a while; they are skipped. The policy is ``FIFO``."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: dict[int, deque[Entry]] = {0: deque()}  # by priority, ascending; each sorted by age; may be empty

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)})"

    def __len__(self) -> int:
        return sum(map(len, self._levels.values()))

    def __bool__(self) -> bool:
        return any(self._levels.values())

    def __iter__(self) -> Iterator[Entry]:
        for level in self._levels.values():
            yield from level

    def push(self, entry: Entry) -> None:
        """Add an entry at its place by priority and age."""
        level = self._levels.get(entry.priority)
        if level is None:
            self._levels[entry.priority] = level = deque()
            self._levels = dict(sorted(self._levels.items()))
        insert_by_age(level, entry)

    def pop(self, now: float) -> Entry | None:
        """Remove and return the next entry that is not done; ``None`` if the queue is empty."""
        for level in self._levels.values():
            while level:
                entry = level.popleft()
                if not entry.answer.done():
                    return entry
        return None

    def oldest_wait(self, now: float) -> float:
        """Seconds since the oldest entry was accepted; 0.0 if the queue is empty."""
        oldest = now
        for level in self._levels.values():
            while level and level[0].answer.done():
                level.popleft()
            if level:
                oldest = min(oldest, level[0].accepted)
        return now - oldest

    def take_late(self, now: float, timeout: float) -> list[Entry]:
        """Remove and return entries that have waited too long; drop those that are done.

        Args:
            timeout: seconds, for entries without a ``wait_timeout`` of their own.
        """
        late: list[Entry] = []
        for level in self._levels.values():
            entries = [entry for entry in level if not entry.answer.done()]
            level.clear()
            for entry in entries:
                limit = timeout if entry.wait_timeout is None else entry.wait_timeout
                (late if now - entry.waits_since >= limit else level).append(entry)
        return late

    def clear(self) -> list[Entry]:
        """Remove all entries; return those that are not done."""
        entries = [entry for entry in self if not entry.answer.done()]
        for level in self._levels.values():
            level.clear()
        return entries


class AdaptiveLifoQueue(CallQueue):
    """The policy ``ADAPTIVE_LIFO``; priorities do not count. On the hot path of a busy HTTP server.

    Args:
        max_lifo_wait: seconds; 0 = the oldest is always first.
    """

    __slots__ = ("_entries", "max_lifo_wait")

    def __init__(self, max_lifo_wait: float) -> None:
        super().__init__()
        self._entries = self._levels[0]
        self.max_lifo_wait = max_lifo_wait

    def __bool__(self) -> bool:
        return bool(self._entries)

    def push(self, entry: Entry) -> None:
        entries = self._entries
        if not entries or entries[-1].accepted <= entry.accepted:
            entries.append(entry)
        else:
            insert_by_age(entries, entry)

    def pop(self, now: float) -> Entry | None:
        entries = self._entries
        while entries:
            newest_first = OVERLOADED_AFTER < now - entries[0].accepted < self.max_lifo_wait
            entry = entries.pop() if newest_first else entries.popleft()
            if not entry.answer.done():
                return entry
        return None


def insert_by_age(level: deque[Entry], entry: Entry) -> None:
    """Keep the oldest first. Only a call that a worker handed back is not the youngest."""
    if not level or level[-1].accepted <= entry.accepted:
        level.append(entry)
        return
    place = 0
    while level[place].accepted <= entry.accepted:
        place += 1
    level.insert(place, entry)
