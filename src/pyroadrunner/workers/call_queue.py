"""Requests that wait for a worker, and which of them is next. Pure.

Oldest first; in an overload the newest first ("adaptive LIFO"): once the oldest has waited a second, clients begin to
leave, and who served the oldest first would answer those that no longer wait. A request that has waited for
``max_lifo_wait`` goes first again, so that none is passed over for longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pyroadrunner.workers.job import Job

OVERLOADED_AFTER = 1.0  # seconds the oldest request may wait before the newest goes first


class CallQueue:
    """Keeps requests by their age, also those that come back from a worker. Answered or cancelled ones may stay in it
    for a while; they are skipped.

    Args:
        max_lifo_wait: seconds after which a request goes first whatever happens; 0 = the oldest is always first.
    """

    __slots__ = ("_calls", "max_lifo_wait")

    def __init__(self, max_lifo_wait: float) -> None:
        self._calls: deque[Job] = deque()
        self.max_lifo_wait = max_lifo_wait

    def __repr__(self) -> str:
        return f"CallQueue({len(self._calls)})"

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._calls)

    def push(self, call: Job) -> None:
        """Let a request wait; it takes its place by age."""
        calls = self._calls
        if not calls or calls[-1].accepted <= call.accepted:
            calls.append(call)
            return
        place = 0
        while calls[place].accepted <= call.accepted:  # a request that was handed back is nearly always the oldest
            place += 1
        calls.insert(place, call)

    def pop(self, now: float) -> Job | None:
        """Take out the next request that is still waited for; ``None`` = there is none."""
        calls = self._calls
        while calls:
            newest_first = OVERLOADED_AFTER < now - calls[0].accepted < self.max_lifo_wait
            call = calls.pop() if newest_first else calls.popleft()
            if not call.answer.done():
                return call
        return None

    def oldest_wait(self, now: float) -> float:
        """Seconds since the oldest request was accepted; 0.0 = none waits."""
        calls = self._calls
        while calls and calls[0].answer.done():
            calls.popleft()
        return now - calls[0].accepted if calls else 0.0

    def take_late(self, now: float, limit: float) -> list[Job]:
        """Take out the requests that have waited for ``limit`` seconds, and drop those that are not waited for."""
        late = [call for call in self._calls if now - call.waits_since >= limit or call.answer.done()]
        if not late:
            return []
        kept = [call for call in self._calls if now - call.waits_since < limit and not call.answer.done()]
        self._calls.clear()
        self._calls.extend(kept)
        return [call for call in late if not call.answer.done()]
