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
        rpc: the connection; ``None`` = one of its own.

    Everything is as in :class:`~pyroadrunner.sdk.kv.Kv`, and awaited. Use it from one event loop.
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
        """Hang up. Idempotent; a later call connects anew."""
        await self._rpc.close()

    async def get(self, key: str) -> bytes | None:
        """The value, if there is one."""
        return (await self.get_many([key])).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those that are there."""
        return messages.values_of(await self._ask("MGet", messages.keys(self.storage, keys)))

    async def has(self, key: str) -> bool:
        """Whether it is there."""
        return bool(messages.names_of(await self._ask("Has", messages.keys(self.storage, [key]))))

    async def set(self, key: str, value: Value, ttl: Lifetime = None) -> None:
        """Store a value; what was there, its lifetime included, is replaced."""
        await self.set_many({key: value}, ttl)

    async def set_many(self, values: Mapping[str, Value], ttl: Lifetime = None) -> None:
        """Store values."""
        if messages.over(ttl):
            await self.delete_many(values)
        else:
            await self._ask("Set", messages.values(self.storage, values, ttl, time.time()))

    async def add(self, key: str, value: Value, ttl: Lifetime = None) -> bool:
        """Store a value if the key is not there, as one step; whether it was stored."""
        return bool(
            messages.names_of(await self._ask("SetNX", messages.values(self.storage, {key: value}, ttl, time.time())))
        )

    async def increment(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Add to a counter, as one step; the result. The lifetime is for a counter that this call makes, from 0."""
        return await self._count("Incr", messages.count(self.storage, key, by, ttl, time.time()))

    async def decrement(self, key: str, by: int = 1, ttl: Lifetime = None) -> int:
        """Take from a counter, as one step; the result."""
        return await self._count("Decr", messages.count(self.storage, key, by, ttl, time.time()))

    async def expires(self, key: str) -> datetime | None:
        """When it expires, in whole seconds; ``None`` = never, or it is not there. memcached does not know."""
        return messages.expiry_of(await self._ask("TTL", messages.keys(self.storage, [key])))

    async def expire(self, key: str, ttl: float | timedelta) -> None:
        """Give a key another lifetime. The value stays; a key that is not there stays so."""
        await self._ask("MExpire", messages.times(self.storage, [key], ttl, time.time()))

    async def delete(self, key: str) -> None:
        """Remove it, if it is there."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove those that are there."""
        await self._ask("Delete", messages.keys(self.storage, keys))

    async def clear(self) -> None:
        """Remove everything."""
        await self._ask("Clear", messages.keys(self.storage, []))

    async def _ask(self, method: str, request: Request) -> Response:
        return await self._rpc.call_message(f"kv.{method}", request, Response)

    async def _count(self, method: str, request: CountRequest) -> int:
        return (await self._rpc.call_message(f"kv.{method}", request, CountResponse)).value
