"""The contract of a driver: the operations on locks.

A local driver returns plain values, so that a call needs no task; a driver that asks a server returns awaitables of the
same values. Times are microseconds; a ``ttl`` of 0 means no expiry.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]


class HolderView(msgspec.Struct, kw_only=True):
    """A holder of a lock. ``ttl`` is the remaining time in microseconds; 0 = no expiry."""

    id: str
    ttl: int
    token: int


class LockView(msgspec.Struct, kw_only=True):
    """One named lock, for operators."""

    resource: str
    exclusive: bool
    holders: list[HolderView]
    waiting: list[str]


class LockStats(NamedTuple):
    """For metrics.

    Attributes:
        held: number of held locks; ``None`` = unknown without asking a server.
        waiting: number of calls that wait in this server.
        token: token of the last lock granted by this server.
    """

    held: int | None
    waiting: int
    token: int


class LockDriver(Protocol):
    """Locks by name; ``id`` identifies the holder. A driver may raise :class:`~pyroadrunner.errors.RoadRunnerError` if
    its server does not answer."""

    def lock(self, name: str, id: str, *, read: bool, ttl: int, wait: int) -> MaybeAwaitable[int]:  # noqa: A002
        """Take a lock, or wait for it.

        A cancellation gives up the place in the queue, and releases the lock if it was granted meanwhile.

        Returns:
            The token, a number larger than that of any earlier lock of this name; 0 = not granted.
        """

    def release(self, name: str, id: str) -> MaybeAwaitable[bool]:  # noqa: A002
        """Release the lock; ``False`` if ``id`` does not hold it."""

    def force_release(self, name: str) -> MaybeAwaitable[bool]:
        """Release the lock of all holders; ``False`` if the name is unknown."""

    def exists(self, name: str, id: str) -> MaybeAwaitable[bool]:  # noqa: A002
        """Whether ``id`` holds the lock; ``*`` = whether it is held at all."""

    def update(self, name: str, id: str, ttl: int) -> MaybeAwaitable[bool]:  # noqa: A002
        """Let the lock expire ``ttl`` from now; ``False`` if ``id`` does not hold it."""

    def list(self) -> MaybeAwaitable[list[LockView]]:
        """All held locks, by name."""

    def stats(self) -> LockStats:
        """Current statistics."""

    async def stop(self) -> None:
        """Refuse all waiting calls. Idempotent."""
