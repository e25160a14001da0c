"""The contract of a driver: the operations of a storage.

A local driver returns plain values, so that a call needs no task; a driver that asks a server returns awaitables of the
same values. Times are unix time in milliseconds. Common checks (unknown storage, blank key, invalid time) are done
before the store is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from pyroadrunner.remote.errors import StoreError

T = TypeVar("T")
MaybeAwaitable: TypeAlias = T | Awaitable[T]


class Item(NamedTuple):
    """An item to store.

    Attributes:
        expires: unix time in milliseconds; ``None`` = never.
    """

    key: str
    value: bytes
    expires: int | None = None


class StoreStats(NamedTuple):
    """Statistics of a store. ``items``: number of keys; expired ones may still count."""

    items: int


class Store(Protocol):
    """One storage.

    Attributes:
        operations: prefix of the operation names in errors, such as ``in_memory_plugin``.
    """

    operations: str

    async def start(self) -> None:
        """Prepare the store.

        Raises:
            StoreError: the store can't be used. A server that is down is not an error: it may come back.
        """

    async def stop(self) -> None:
        """Save acknowledged writes and release all resources. Idempotent."""

    def has(self, keys: Sequence[str]) -> MaybeAwaitable[Sequence[str]]:
        """The keys that exist."""

    def mget(self, keys: Sequence[str]) -> MaybeAwaitable[Mapping[str, bytes]]:
        """The values of the keys that exist."""

    def ttl(self, keys: Sequence[str]) -> MaybeAwaitable[Mapping[str, int | None]]:
        """The expiry times of the keys that exist. A driver may leave out keys that never expire."""

    def set(self, items: Sequence[Item]) -> MaybeAwaitable[None]:
        """Store all items, replacing existing values and times.

        Raises:
            StoreError: some items may have been stored.
        """

    def set_absent(self, items: Sequence[Item]) -> MaybeAwaitable[Sequence[str]]:
        """Store the items whose keys do not exist, each atomically; return their keys."""

    def mexpire(self, times: Mapping[str, int]) -> MaybeAwaitable[None]:
        """Change expiry times. A time in the past deletes the key; missing keys are ignored."""

    def delete(self, keys: Sequence[str]) -> MaybeAwaitable[None]:
        """Delete keys; missing keys are ignored."""

    def clear(self) -> MaybeAwaitable[None]:
        """Delete everything."""

    def count(self, key: str, by: int, expires: int | None) -> MaybeAwaitable[int]:
        """Add to a counter (a value of decimal digits) atomically; return the result.

        Args:
            expires: time for a new counter, which starts at 0; an existing one keeps its time.

        Raises:
            StoreError: the value is not a number, or the result exceeds 64 bits.
        """

    def stats(self) -> MaybeAwaitable[StoreStats]:
        """Current statistics."""


MIN_COUNT, MAX_COUNT = -(2**63), 2**63 - 1


def counted(value: bytes | None, by: int) -> int:
    """Add ``by`` to a stored counter; ``None`` = the counter does not exist.

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
