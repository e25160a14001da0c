"""The asyncio client of a storage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType

from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, CountResponse, Request, Response
from pyroadrunner.sdk.kv import messages
from pyroadrunner.sdk.kv.messages import Lifetime, Value
from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncKv:
    """One storage.

    Args:
        storage: its name in the section `kv`; names are lower-case.
        rpc: the connection; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.kv.Kv`, with coroutines. Use it from one event loop.
    """

    def __init__(self, storage: str, rpc: AsyncRpcClient | None = None) -> None:
        self.storage = storage
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncKv({self.storage!r}, {self._rpc!r})"

    async def __aenter__(self) -> AsyncKv:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def get(self, key: str) -> bytes | None:
        """The value; ``None`` if the key does not exist."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of the existing keys."""
        return messages.values_of(await self._ask("MGet", messages.keys(self.storage, keys)))

    async def has(self, key: str) -> bool:
        """Whether the key exists."""
        return bool(messages.names_of(await self._ask("Has", messages.keys(self.storage, [key]))))

    async def set(self, key: str, value: Value, ttl: Lifetime = None) -> None:
        """Store a value; replaces an existing value and its lifetime."""
        await self.set_many({key: value}, ttl)

    async def set_many(self, values: Mapping[str, Value], ttl: Lifetime = None) -> None:
        """Store values."""
        if messages.over(ttl):
            await self.delete_many(values)
        else:
            await self._ask("Set", messages.values(self.storage, values, ttl, time.time()))

    async def add(self, key: str, value: Value, ttl: Lifetime = None) -> bool:
        """Store a value if the key does not exist, atomically. Return whether it was stored."""
        return bool(
            messages.names_of(await self._ask("SetNX", messages.values(self.storage, {key: value}, ttl, time.time())))
        )

    async def increment(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Add to a counter atomically and return the result. A missing counter starts at 0 and gets the lifetime."""
        return await self._count("Incr", messages.count(self.storage, key, by, ttl, time.time()))

    async def decrement(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Subtract from a counter atomically and return the result."""
        return await self._count("Decr", messages.count(self.storage, key, by, ttl, time.time()))

    async def expires(self, key: str) -> datetime | None:
        """The expiry, in whole seconds; ``None`` = never, or the key does not exist. Not supported by memcached."""
        return messages.expiry_of(await self._ask("TTL", messages.keys(self.storage, [key])))

    async def expire(self, key: str, ttl: float | timedelta) -> None:
        """Change the lifetime of a key and keep its value; has no effect on a missing key."""
        await self._ask("MExpire", messages.times(self.storage, [key], ttl, time.time()))

    async def delete(self, key: str) -> None:
        """Remove the key, if it exists."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove the keys that exist."""
        await self._ask("Delete", messages.keys(self.storage, keys))

    async def clear(self) -> None:
        """Remove everything."""
        await self._ask("Clear", messages.keys(self.storage, []))

    async def _ask(self, method: str, request: Request) -> Response:
        return await self._rpc.call_message(f"kv.{method}", request, Response)

    async def _count(self, method: str, request: CountRequest) -> int:
        return (await self._rpc.call_message(f"kv.{method}", request, CountResponse)).value
