"""The blocking client of a storage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType

from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, CountResponse, Request, Response
from pyroadrunner.sdk.kv import messages
from pyroadrunner.sdk.kv.messages import Lifetime, Value
from pyroadrunner.sdk.rpc import RpcClient


class Kv:
    """One storage.

    Args:
        storage: its name in the section `kv`; names are lower-case.
        rpc: the connection; ``None`` = a new one.

    Keys are text, values are bytes (text is stored as UTF-8). Lifetimes are seconds or a ``timedelta``; ``None`` = no
    expiry; zero or less deletes the key. Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the
    server's message, and :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, storage: str, rpc: RpcClient | None = None) -> None:
        self.storage = storage
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"Kv({self.storage!r}, {self._rpc!r})"

    def __enter__(self) -> Kv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def get(self, key: str) -> bytes | None:
        """The value; ``None`` if the key does not exist."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of the existing keys."""
        return messages.values_of(self._ask("MGet", messages.keys(self.storage, keys)))

    def has(self, key: str) -> bool:
        """Whether the key exists."""
        return bool(messages.names_of(self._ask("Has", messages.keys(self.storage, [key]))))

    def set(self, key: str, value: Value, ttl: Lifetime = None) -> None:
        """Store a value; replaces an existing value and its lifetime."""
        self.set_many({key: value}, ttl)

    def set_many(self, values: Mapping[str, Value], ttl: Lifetime = None) -> None:
        """Store values."""
        if messages.over(ttl):
            self.delete_many(values)
        else:
            self._ask("Set", messages.values(self.storage, values, ttl, time.time()))

    def add(self, key: str, value: Value, ttl: Lifetime = None) -> bool:
        """Store a value if the key does not exist, atomically. Return whether it was stored."""
        return bool(
            messages.names_of(self._ask("SetNX", messages.values(self.storage, {key: value}, ttl, time.time())))
        )

    def increment(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Add to a counter atomically and return the result. A missing counter starts at 0 and gets the lifetime."""
        return self._count("Incr", messages.count(self.storage, key, by, ttl, time.time()))

    def decrement(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Subtract from a counter atomically and return the result."""
        return self._count("Decr", messages.count(self.storage, key, by, ttl, time.time()))

    def expires(self, key: str) -> datetime | None:
        """The expiry, in whole seconds; ``None`` = never, or the key does not exist. Not supported by memcached."""
        return messages.expiry_of(self._ask("TTL", messages.keys(self.storage, [key])))

    def expire(self, key: str, ttl: float | timedelta) -> None:
        """Change the lifetime of a key and keep its value; has no effect on a missing key."""
        self._ask("MExpire", messages.times(self.storage, [key], ttl, time.time()))

    def delete(self, key: str) -> None:
        """Remove the key, if it exists."""
        self.delete_many([key])

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove the keys that exist."""
        self._ask("Delete", messages.keys(self.storage, keys))

    def clear(self) -> None:
        """Remove everything."""
        self._ask("Clear", messages.keys(self.storage, []))

    def _ask(self, method: str, request: Request) -> Response:
        return self._rpc.call_message(f"kv.{method}", request, Response)

    def _count(self, method: str, request: CountRequest) -> int:
        return self._rpc.call_message(f"kv.{method}", request, CountResponse).value
