"""One named lock: its holders and the queue of waiters. Pure; it does not read the clock.

Rules: one exclusive holder, or any number of readers. The queue is fair: a new reader waits behind a waiting writer.
    Two cases skip the queue, since they delay no waiter: a reader that already holds a read lock, and the only reader
    that wants the exclusive lock (an upgrade; behind a waiting writer both would wait without end).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Timed:
    """An object that expires at ``due``, microseconds of the clock; ``None`` = never, or no longer.

    Attributes:
        entry: number of its valid entry in the heap.
    """

    __slots__ = ("due", "entry", "id", "name")

    def __init__(self, name: str, id: str, due: int | None = None) -> None:  # noqa: A002 - the protocol's word
        self.name = name
        self.id = id
        self.due = due
        self.entry = 0


class Held(Timed):
    """A held lock. ``token`` grows with each granted lock."""

    __slots__ = ("token",)

    def __init__(self, name: str, id: str, token: int) -> None:  # noqa: A002
        super().__init__(name, id)
        self.token = token


class Waiter(Timed):
    """A call in the queue.

    Attributes:
        ttl: requested lifetime of the lock in microseconds; 0 = no expiry.
        notify: called once, with the token of the lock; 0 = not granted.
    """

    __slots__ = ("notify", "read", "ttl")

    def __init__(self, name: str, id: str, *, read: bool, ttl: int, notify: Callable[[int], None]) -> None:  # noqa: A002
        super().__init__(name, id)
        self.read = read
        self.ttl = ttl
        self.notify = notify


class Resource:
    """The holders by id, and the queue."""

    __slots__ = ("exclusive", "holders", "queue")

    def __init__(self) -> None:
        self.exclusive = False
        self.holders: dict[str, Held] = {}
        self.queue: deque[Waiter] = deque()

    def __repr__(self) -> str:
        kind = "exclusive" if self.exclusive else "read"
        return f"Resource({kind}, holders={sorted(self.holders)}, waiting={len(self.queue)})"

    def admits(self, id: str, *, read: bool) -> bool:  # noqa: A002
        """Whether a new call can have the lock immediately."""
        if self.holders and not self.exclusive:
            if id in self.holders:
                return read or len(self.holders) == 1
            return read and not self.queue
        return not self.holders and not self.queue

    def enter(self, held: Held, *, read: bool) -> None:
        self.exclusive = not read
        self.holders[held.id] = held

    def leave(self, id: str) -> Held | None:  # noqa: A002
        held = self.holders.pop(id, None)
        if not self.holders:
            self.exclusive = False
        return held

    def enqueue(self, waiter: Waiter) -> None:
        """Append a waiter; an upgrading reader goes first, since the others wait for it."""
        if not waiter.read and not self.exclusive and waiter.id in self.holders:
            self.queue.appendleft(waiter)
        else:
            self.queue.append(waiter)

    def next(self) -> Waiter | None:
        """Remove and return the first waiter if it can have the lock now."""
        if not self.queue:
            return None
        first = self.queue[0]
        upgrade = not first.read and self.holders.keys() == {first.id}
        if self.holders and (self.exclusive or not (first.read or upgrade)):
            return None
        return self.queue.popleft()
