"""Build requests to a storage as messages of ``kv.v1`` and read the replies. Pure; the time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, Item, Request, Response

Lifetime = float | timedelta | None  # seconds; None = no expiry
Value = bytes | str


def keys(storage: str, names: Iterable[str]) -> Request:
    """A request with keys only."""
    return Request(storage=storage, items=[Item(key=name) for name in names])


def values(storage: str, pairs: Mapping[str, Value], ttl: Lifetime, now: float) -> Request:
    """A request with values; text is sent as UTF-8.

    Args:
        now: unix time in seconds.
    """
    timeout = moment(ttl, now)
    items = [Item(key=key, value=_bytes(value), timeout=timeout) for key, value in pairs.items()]
    return Request(storage=storage, items=items)


def times(storage: str, names: Iterable[str], ttl: float | timedelta, now: float) -> Request:
    """A request that changes the lifetime of keys."""
    timeout = moment(ttl, now)
    return Request(storage=storage, items=[Item(key=name, timeout=timeout) for name in names])


def count(storage: str, key: str, by: int, ttl: Lifetime, now: float) -> CountRequest:
    """A request that changes a counter."""
    return CountRequest(storage=storage, key=key, by=by, timeout=moment(ttl, now))


def over(ttl: Lifetime) -> bool:
    """Whether a lifetime is already over: such a value is not stored, and an existing one is deleted."""
    return ttl is not None and _seconds(ttl) <= 0


def moment(ttl: Lifetime, now: float) -> str:
    """The end of a lifetime, to the millisecond; empty for no expiry."""
    if ttl is None:
        return ""
    end = datetime.fromtimestamp(now, UTC) + timedelta(seconds=_seconds(ttl))
    return end.isoformat(timespec="milliseconds")


def names_of(response: Response) -> set[str]:
    """The keys of a reply."""
    return {item.key for item in response.items}


def values_of(response: Response) -> dict[str, bytes]:
    """Keys and values of a reply."""
    return {item.key: item.value for item in response.items}


def expiry_of(response: Response) -> datetime | None:
    """The expiry of the only item of a reply; ``None`` = no expiry, or no item."""
    timeout = response.items[0].timeout if response.items else ""
    return datetime.fromisoformat(timeout) if timeout else None


def _seconds(ttl: float | timedelta) -> float:
    return ttl.total_seconds() if isinstance(ttl, timedelta) else ttl


def _bytes(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else value
