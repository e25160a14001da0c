"""The contract of a driver: what a storage can do, whoever keeps it.

A driver that answers at once returns plain values, and the call costs no task; one that has to ask somebody returns
awaitables of the same values. Times are unix time in milliseconds. Checks that are the same for all (a storage that is
not there, a blank key, a time that is none) are made before a store is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from pyroadrunner.remote.errors import StoreError

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]


class Item(NamedTuple):
    """What is to be stored.

    Attributes:
        expires: unix time in milliseconds; ``None`` = never.
    """

    key: str
    value: bytes
    expires: int | None = None


class StoreStats(NamedTuple):
    """What a store tells about itself. ``items``: how many keys it holds; expired ones may still count."""

    items: int


class Store(Protocol):
    """One storage.

    Attributes:
        operations: what the names of its operations begin with in errors, such as ``in_memory_plugin``.
    """

    operations: str

    async def start(self) -> None:
        """Get ready.

        Raises:
            StoreError: it can't be used. A server that is not there now is no reason: it may come.
        """

    async def stop(self) -> None:
        """Keep what was acknowledged, let go of everything. Idempotent."""

    def has(self, keys: Sequence[str]) -> MaybeAwaitable[Sequence[str]]:
        """Those of the keys that are there."""

    def mget(self, keys: Sequence[str]) -> MaybeAwaitable[Mapping[str, bytes]]:
        """The values of those that are there."""

    def ttl(self, keys: Sequence[str]) -> MaybeAwaitable[Mapping[str, int | None]]:
        """When those that are there expire. A driver may leave out those that never do."""

    def set(self, items: Sequence[Item]) -> MaybeAwaitable[None]:
        """Store all of them; what was there, its time included, is replaced.

        Raises:
            StoreError: some may be stored then.
        """

    def set_absent(self, items: Sequence[Item]) -> MaybeAwaitable[Sequence[str]]:
        """Store those whose keys are not there, each as one step; their keys."""

    def mexpire(self, times: Mapping[str, int]) -> MaybeAwaitable[None]:
        """Change when keys expire. A time that has passed deletes; a key that is not there stays so."""

    def delete(self, keys: Sequence[str]) -> MaybeAwaitable[None]:
        """Remove those that are there."""

    def clear(self) -> MaybeAwaitable[None]:
        """Remove all."""

    def count(self, key: str, by: int, expires: int | None) -> MaybeAwaitable[int]:
        """Add to a counter, decimal digits in a value, as one step; the result.

        Args:
            expires: of a counter that is made now, from 0; one that is there keeps its time.

        Raises:
            StoreError: the value is no number, or the result leaves 64 bits.
        """

    def stats(self) -> MaybeAwaitable[StoreStats]:
        """How much it holds."""


MIN_COUNT, MAX_COUNT = -(2**63), 2**63 - 1


def counted(value: bytes | None, by: int) -> int:
    """The result of adding ``by`` to a stored counter; ``None`` = there is none.

    Raises:
        StoreError: as for :meth:`Store.count`.
    """
    value = b"0" if value is None else value
    digits = value.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 19:
        raise StoreError("value is not an integer or out of range")
    result = int(value) + by
    if not MIN_COUNT <= result <= MAX_COUNT:
        raise StoreError("increment or decrement would overflow")
    return result
