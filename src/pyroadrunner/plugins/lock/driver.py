"""The contract of a driver: what can be done with locks, whoever keeps them.

A driver that answers at once returns plain values, and the call costs no task; one that has to ask somebody returns
awaitables of the same values. Times are microseconds; a ``ttl`` of 0 is for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]


class HolderView(msgspec.Struct, kw_only=True):
    """Who holds a lock. ``ttl`` is what is left of it, in microseconds; 0 = for ever."""

    id: str
    ttl: int
    token: int


class LockView(msgspec.Struct, kw_only=True):
    """One name, for operators."""

    resource: str
    exclusive: bool
    holders: list[HolderView]
    waiting: list[str]


class LockStats(NamedTuple):
    """For metrics.

    Attributes:
        held: locks that are held; ``None`` = not known without asking somebody.
        waiting: calls that wait here.
        token: of the last lock that was given here.
    """

    held: int | None
    waiting: int
    token: int


class LockDriver(Protocol):
    """Locks by name; ``id`` says for whom. A driver may raise
    :class:`~pyroadrunner.errors.RoadRunnerError` where somebody it has to ask does not answer."""

    def lock(self, name: str, id: str, *, read: bool, ttl: int, wait: int) -> MaybeAwaitable[int]:  # noqa: A002
        """Take a lock, or wait for it.

        When this is cancelled, its place in the queue is given up, and the lock if it was given meanwhile.

        Returns:
            Its token, a number that is larger than that of any lock of this name before; 0 = not given.
        """

    def release(self, name: str, id: str) -> MaybeAwaitable[bool]:  # noqa: A002
        """Let go; ``False`` when ``id`` does not hold it."""

    def force_release(self, name: str) -> MaybeAwaitable[bool]:
        """Take it away from all who hold it; ``False`` when nothing is known of the name."""

    def exists(self, name: str, id: str) -> MaybeAwaitable[bool]:  # noqa: A002
        """Whether ``id`` holds it; ``*`` = whether anybody does."""

    def update(self, name: str, id: str, ttl: int) -> MaybeAwaitable[bool]:  # noqa: A002
        """Let a lock end ``ttl`` from now; ``False`` when ``id`` does not hold it."""

    def list(self) -> MaybeAwaitable[list[LockView]]:
        """All locks that are held, by name."""

    def stats(self) -> LockStats:
        """As it is at this moment."""

    async def stop(self) -> None:
        """Who waits is told no. Idempotent."""
