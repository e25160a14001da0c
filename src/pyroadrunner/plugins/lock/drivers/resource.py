"""One name: who holds it, and who waits for it in which order. Pure; knows no time but that of each lock.

Rules: one exclusive holder, or any number of readers. The queue is fair: nobody passes one who waits, so a reader that
comes behind a waiting writer waits too. Two do pass, since they are in nobody's way: a reader that is one already, and
the only reader who wants the lock for itself (an upgrade; behind a writer that waits for it, both would wait for ever).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Timed:
    """Something that ends at ``due``, microseconds of the clock; ``None`` = never, or no more.

    Attributes:
        entry: the number of its valid entry in the heap of what is due.
    """

    __slots__ = ("due", "entry", "id", "name")

    def __init__(self, name: str, id: str, due: int | None = None) -> None:  # noqa: A002 - the protocol's word
        self.name = name
        self.id = id
        self.due = due
        self.entry = 0


class Held(Timed):
    """A lock somebody has. ``token`` grows with every lock that is given."""

    __slots__ = ("token",)

    def __init__(self, name: str, id: str, token: int) -> None:  # noqa: A002
        super().__init__(name, id)
        self.token = token


class Waiter(Timed):
    """Somebody in the queue.

    Attributes:
        ttl: microseconds the lock is wanted for; 0 = for ever.
        notify: called once, with the token of the lock; 0 = it was not given.
    """

    __slots__ = ("notify", "read", "ttl")

    def __init__(self, name: str, id: str, *, read: bool, ttl: int, notify: Callable[[int], None]) -> None:  # noqa: A002
        super().__init__(name, id)
        self.read = read
        self.ttl = ttl
        self.notify = notify


class Resource:
    """Holders by id, and the queue."""

    __slots__ = ("exclusive", "holders", "queue")

    def __init__(self) -> None:
        self.exclusive = False
        self.holders: dict[str, Held] = {}
        self.queue: deque[Waiter] = deque()

    def __repr__(self) -> str:
        kind = "exclusive" if self.exclusive else "read"
        return f"Resource({kind}, holders={sorted(self.holders)}, waiting={len(self.queue)})"

    def admits(self, id: str, *, read: bool) -> bool:  # noqa: A002
        """Whether somebody who comes now gets it at once."""
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
        """Take the last place; a reader that wants more the first one, since those before it wait for it, too."""
        if not waiter.read and not self.exclusive and waiter.id in self.holders:
            self.queue.appendleft(waiter)
        else:
            self.queue.append(waiter)

    def next(self) -> Waiter | None:
        """Take the first out of the queue, if it can have the lock now."""
        if not self.queue:
            return None
        first = self.queue[0]
        upgrade = not first.read and self.holders.keys() == {first.id}
        if self.holders and (self.exclusive or not (first.read or upgrade)):
            return None
        return self.queue.popleft()
