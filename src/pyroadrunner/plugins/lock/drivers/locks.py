"""All named locks, with expiry. Pure: the current time is an argument (monotonic, in microseconds), wake-ups are
callbacks.

Locks and waiting calls that expire are in one heap. An entry whose time is no longer that of its object is stale and
skipped; the heap is rebuilt when most of it is stale.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator

from pyroadrunner.plugins.lock.drivers.resource import Held, Resource, Timed, Waiter

_REMEMBERED = 65536  # free names to remember: ForceRelease distinguishes names that were locked before
_SMALL = 64


class Locks:
    """Each method first expires what is due at ``now``, so results are right even if the timer is late.

    Attributes:
        token: token of the last granted lock.
    """

    def __init__(self) -> None:
        self.token = 0
        self._resources: dict[str, Resource] = {}
        self._free: OrderedDict[str, None] = OrderedDict()
        self._heap: list[tuple[int, int, Timed]] = []
        self._entries = 0
        self._timed = 0  # upper bound of the entries that were not stale at the last rebuild

    def __repr__(self) -> str:
        return f"Locks({len(self._resources)} names, token={self.token})"

    def __iter__(self) -> Iterator[tuple[str, Resource]]:
        return iter(self._resources.items())

    def take(self, name: str, id: str, *, read: bool, ttl: int, now: int) -> bool:  # noqa: A002
        """Take a lock if it is available. ``ttl`` in microseconds; 0 = no expiry."""
        self.expire(now)
        resource = self._resources.get(name)
        if resource is not None and not resource.admits(id, read=read):
            return False
        self._give(name, id, read=read, ttl=ttl, now=now)
        return True

    def wait(
        self,
        name: str,
        id: str,  # noqa: A002
        *,
        read: bool,
        ttl: int,
        wait: int,
        now: int,
        notify: Callable[[int], None],
    ) -> Waiter:
        """Queue for a lock that :meth:`take` has just refused, for ``wait`` microseconds."""
        waiter = Waiter(name, id, read=read, ttl=ttl, notify=notify)
        self._resources[name].enqueue(waiter)
        self._schedule(waiter, now + wait)
        return waiter

    def give_up(self, waiter: Waiter, now: int) -> None:
        """Remove a waiter from the queue without notifying it. Idempotent."""
        resource = self._resources.get(waiter.name)
        waiter.due = None
        if resource is not None and waiter in resource.queue:
            resource.queue.remove(waiter)
            self._advance(waiter.name, now)

    def release(self, name: str, id: str, now: int) -> bool:  # noqa: A002
        """Release the lock; ``False`` if ``id`` does not hold it."""
        self.expire(now)
        return self._leave(name, id, now)

    def force_release(self, name: str, now: int) -> bool:
        """Release the lock of all holders; ``False`` if it was never locked."""
        self.expire(now)
        resource = self._resources.get(name)
        if resource is None:
            return name in self._free
        for held in resource.holders.values():
            held.due = None
        resource.holders.clear()
        resource.exclusive = False
        self._advance(name, now)
        return True

    def exists(self, name: str, id: str, now: int) -> bool:  # noqa: A002
        """Whether ``id`` holds the lock; ``*`` = whether it is held at all."""
        self.expire(now)
        resource = self._resources.get(name)
        return resource is not None and (id == "*" or id in resource.holders)

    def update(self, name: str, id: str, ttl: int, now: int) -> bool:  # noqa: A002
        """Let the lock expire ``ttl`` microseconds from now (0 = never); ``False`` if ``id`` does not hold it."""
        self.expire(now)
        resource = self._resources.get(name)
        held = resource.holders.get(id) if resource is not None else None
        if held is None:
            return False
        self._schedule(held, now + ttl if ttl else None)
        return True

    def next_due(self) -> int | None:
        """The next time at which :meth:`expire` has work to do."""
        while self._heap and _stale(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def expire(self, now: int) -> None:
        """Expire all locks and waiters that are due."""
        while (due := self.next_due()) is not None and due <= now:
            ended = heapq.heappop(self._heap)[2]
            ended.due = None
            if isinstance(ended, Waiter):
                self.give_up(ended, now)
                ended.notify(0)
            else:
                self._leave(ended.name, ended.id, now)

    def clear(self) -> None:
        """Drop all locks; waiters get none."""
        waiting = [waiter for _, resource in self for waiter in resource.queue]
        self._resources.clear()
        self._heap.clear()
        for waiter in waiting:
            waiter.notify(0)

    # inside

    def _give(self, name: str, id: str, *, read: bool, ttl: int, now: int) -> None:  # noqa: A002
        resource = self._resources.get(name)
        if resource is None:
            resource = self._resources[name] = Resource()
            self._free.pop(name, None)
        before = resource.leave(id)
        if before is not None:
            before.due = None
        self.token += 1
        held = Held(name, id, self.token)
        resource.enter(held, read=read)
        self._schedule(held, now + ttl if ttl else None)

    def _leave(self, name: str, id: str, now: int) -> bool:  # noqa: A002
        resource = self._resources.get(name)
        held = resource.leave(id) if resource is not None else None
        if held is None:
            return False
        held.due = None
        self._advance(name, now)
        return True

    def _advance(self, name: str, now: int) -> None:
        """Grant the lock to the next waiters."""
        resource = self._resources[name]
        while (waiter := resource.next()) is not None:
            waiter.due = None
            self._give(name, waiter.id, read=waiter.read, ttl=waiter.ttl, now=now)
            waiter.notify(self.token)
        if not resource.holders:
            del self._resources[name]
            self._free[name] = None
            if len(self._free) > _REMEMBERED:
                self._free.popitem(last=False)

    def _schedule(self, timed: Timed, due: int | None) -> None:
        timed.due = due
        if due is None:
            return
        self._entries += 1
        timed.entry = self._entries
        heapq.heappush(self._heap, (due, self._entries, timed))
        if len(self._heap) > 2 * self._timed + _SMALL:
            self._heap = [entry for entry in self._heap if not _stale(entry)]
            heapq.heapify(self._heap)
            self._timed = len(self._heap)


def _stale(entry: tuple[int, int, Timed]) -> bool:
    """Whether the time of its object has changed, or was set again: equal times keep the order of setting."""
    due, number, timed = entry
    return timed.due != due or timed.entry != number
