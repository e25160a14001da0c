"""All names, and time. Pure: the clock is an argument, microseconds that never go back; a wake-up is a callback.

Everything that ends by itself, locks and waiting, stands in one heap. An entry whose moment is no more its object's
is stale and passed over; the heap is built anew when most of it is stale.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator

from pyroadrunner.plugins.lock.drivers.resource import Held, Resource, Timed, Waiter

_REMEMBERED = 65536  # names that are free: ForceRelease tells those that were locked once from others
_SMALL = 64


class Locks:
    """Every method first lets end what is due at ``now``, so answers are right however late the timer is.

    Attributes:
        token: of the last lock that was given.
    """

    def __init__(self) -> None:
        self.token = 0
        self._resources: dict[str, Resource] = {}
        self._free: OrderedDict[str, None] = OrderedDict()
        self._heap: list[tuple[int, int, Timed]] = []
        self._entries = 0
        self._timed = 0  # an upper bound of what in the heap is not stale, as of the last building

    def __repr__(self) -> str:
        return f"Locks({len(self._resources)} names, token={self.token})"

    def __iter__(self) -> Iterator[tuple[str, Resource]]:
        return iter(self._resources.items())

    def take(self, name: str, id: str, *, read: bool, ttl: int, now: int) -> bool:  # noqa: A002
        """Take a lock if it can be had at once. ``ttl`` in microseconds; 0 = for ever."""
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
        """Leave the queue; nobody is told. Idempotent."""
        resource = self._resources.get(waiter.name)
        waiter.due = None
        if resource is not None and waiter in resource.queue:
            resource.queue.remove(waiter)
            self._advance(waiter.name, now)

    def release(self, name: str, id: str, now: int) -> bool:  # noqa: A002
        """Let go; ``False`` when ``id`` does not hold it."""
        self.expire(now)
        return self._leave(name, id, now)

    def force_release(self, name: str, now: int) -> bool:
        """Take it away from all who hold it; ``False`` when it was never locked."""
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
        """Whether ``id`` holds it; ``*`` = whether anybody does."""
        self.expire(now)
        resource = self._resources.get(name)
        return resource is not None and (id == "*" or id in resource.holders)

    def update(self, name: str, id: str, ttl: int, now: int) -> bool:  # noqa: A002
        """Let a lock end ``ttl`` microseconds from now (0 = never); ``False`` when ``id`` does not hold it."""
        self.expire(now)
        resource = self._resources.get(name)
        held = resource.holders.get(id) if resource is not None else None
        if held is None:
            return False
        self._schedule(held, now + ttl if ttl else None)
        return True

    def next_due(self) -> int | None:
        """When :meth:`expire` has something to do again."""
        while self._heap and _stale(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def expire(self, now: int) -> None:
        """End what is due."""
        while (due := self.next_due()) is not None and due <= now:
            ended = heapq.heappop(self._heap)[2]
            ended.due = None
            if isinstance(ended, Waiter):
                self.give_up(ended, now)
                ended.notify(0)
            else:
                self._leave(ended.name, ended.id, now)

    def clear(self) -> None:
        """Forget all; who waits gets nothing."""
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
        """Give the lock to those whose turn it is."""
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
    """Whether its object ends at another moment, or was set anew: equal moments keep the order of setting."""
    due, number, timed = entry
    return timed.due != due or timed.entry != number
