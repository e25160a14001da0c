"""The methods of ``kv``: request message -> store, result -> reply message.

Names of operations in errors are RoadRunner's (plugins/kv, rpc.go); ``Delete`` and ``Clear`` share one, misspelt there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.kv import replies
from pyroadrunner.plugins.kv.errors import BadTimeout, EmptyKey, NoStorageNamed, NoSuchStorage, StoreFailed
from pyroadrunner.plugins.kv.store import Item, MaybeAwaitable, Store, StoreStats
from pyroadrunner.plugins.kv.timestamps import BadTimestamp, parse_timestamp
from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, CountResponse, Request, Response
from pyroadrunner.remote.errors import StoreError

T = TypeVar("T")
R = TypeVar("R")
Done = Callable[[T], R]


class StorageView(msgspec.Struct, kw_only=True):
    """One storage, for operators. If the storage does not answer, ``items`` is -1 and ``error`` is the reason."""

    name: str
    driver: str
    items: int = -1
    error: str = ""


class KvRpc:
    """Handles the calls of workers.

    Args:
        stores: by name.
        drivers: names of the drivers, by name of the storage.
    """

    def __init__(self, stores: Mapping[str, Store], drivers: Mapping[str, str]) -> None:
        self._stores = stores
        self._drivers = drivers

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Has": RpcMethod(self.has, message=Request),
            "MGet": RpcMethod(self.mget, message=Request),
            "TTL": RpcMethod(self.ttl, message=Request),
            "Set": RpcMethod(self.set, message=Request),
            "MExpire": RpcMethod(self.mexpire, message=Request),
            "Delete": RpcMethod(self.delete, message=Request),
            "Clear": RpcMethod(self.clear, message=Request),
            # Not in RoadRunner.
            "SetNX": RpcMethod(self.set_absent, message=Request),
            "Incr": RpcMethod(self.incr, message=CountRequest),
            "Decr": RpcMethod(self.decr, message=CountRequest),
            "List": RpcMethod(self.list),
        }

    def has(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rpc_has")
        keys = _keys(request, "rpc_has", store, "has")
        return _answer(store.has, (keys,), replies.keys, "rpc_has", store, "has")

    def mget(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rpc_mget")
        keys = _keys(request, "rpc_mget", store, "mget")
        return _answer(store.mget, (keys,), replies.values, "rpc_mget", store, "mget")

    def ttl(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rpc_ttl")
        keys = _keys(request, "rpc_ttl", store, "ttl")
        return _answer(store.ttl, (keys,), replies.times, "rpc_ttl", store, "ttl")

    def set(self, request: Request) -> MaybeAwaitable[Response]:
        # An empty name is looked up like any other, as in RoadRunner.
        store = self._store(request, "rpc_set", nameless=True)
        return _answer(store.set, (_items(request, "rpc_set"),), replies.nothing, "rpc_set", store, "set")

    def set_absent(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rpc_setnx")
        _keys(request, "rpc_setnx", store, "setnx")
        items = _items(request, "rpc_setnx")
        return _answer(store.set_absent, (items,), replies.keys, "rpc_setnx", store, "setnx")

    def mexpire(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rpc_mexpire")
        _keys(request, "rpc_mexpire", store, "mexpire")
        times = {}
        for item in request.items:
            if not item.timeout:
                raise StoreFailed(
                    "rpc_mexpire", f"{store.operations}_mexpire", "should set timeout and at least one key"
                )
            times[item.key] = _timestamp(item.timeout, "rpc_mexpire")
        return _answer(store.mexpire, (times,), replies.nothing, "rpc_mexpire", store, "mexpire")

    def delete(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rcp_delete")
        keys = _keys(request, "rcp_delete", store, "delete")
        return _answer(store.delete, (keys,), replies.nothing, "rcp_delete", store, "delete")

    def clear(self, request: Request) -> MaybeAwaitable[Response]:
        store = self._store(request, "rcp_delete")
        return _answer(store.clear, (), replies.nothing, "rcp_delete", store, "clear")

    def incr(self, request: CountRequest) -> MaybeAwaitable[CountResponse]:
        return self._count(request, 1, "rpc_incr", "incr")

    def decr(self, request: CountRequest) -> MaybeAwaitable[CountResponse]:
        return self._count(request, -1, "rpc_decr", "decr")

    async def list(self, _: bool) -> list[StorageView]:
        """List all storages; an error of one does not hide the others."""
        return [await self._view(name, store) for name, store in sorted(self._stores.items())]

    # inside

    def _store(self, request: Request | CountRequest, operation: str, *, nameless: bool = False) -> Store:
        name = request.storage
        store = self._stores.get(name)
        if store is None:
            raise NoSuchStorage(operation, name) if name or nameless else NoStorageNamed(operation)
        return store

    def _count(self, request: CountRequest, sign: int, operation: str, name: str) -> MaybeAwaitable[CountResponse]:
        store = self._store(request, operation)
        if not request.key.strip():
            raise EmptyKey(operation, f"{store.operations}_{name}")
        by = sign * (request.by if request.HasField("by") else 1)
        expires = _timestamp(request.timeout, operation) if request.timeout else None
        return _answer(store.count, (request.key, by, expires), replies.count, operation, store, name)

    async def _view(self, name: str, store: Store) -> StorageView:
        try:
            stats = store.stats()
            items = (stats if isinstance(stats, StoreStats) else await stats).items
            return StorageView(name=name, driver=self._drivers[name], items=items)
        except StoreError as error:
            return StorageView(name=name, driver=self._drivers[name], error=str(error))


def _keys(request: Request, operation: str, store: Store, name: str) -> list[str]:
    items = request.items
    keys = (
        [items[0].key] if len(items) == 1 else [item.key for item in items]
    )  # takes half the time for the usual single key
    for key in keys:
        if not key or key.isspace():
            raise EmptyKey(operation, f"{store.operations}_{name}")
    return keys


def _items(request: Request, operation: str) -> list[Item]:
    items = []
    for item in request.items:
        timeout = item.timeout
        items.append(Item(item.key, item.value, _timestamp(timeout, operation) if timeout else None))
    return items


def _timestamp(text: str, operation: str) -> int:
    try:
        return parse_timestamp(text)
    except BadTimestamp as error:
        raise BadTimeout(operation, error) from error


def _answer(
    ask: Callable[..., MaybeAwaitable[Any]],
    arguments: tuple[Any, ...],
    reply: Callable[[Any], R],
    operation: str,
    store: Store,
    name: str,
) -> MaybeAwaitable[R]:
    """Convert the result of the store to a message; returns an awaitable if the store does."""
    try:
        found = ask(*arguments)
    except StoreError as error:
        raise StoreFailed(operation, f"{store.operations}_{name}", error) from error
    if hasattr(found, "__await__"):  # not inspect.isawaitable, which costs more than a memory lookup
        return _later(found, reply, operation, store, name)
    return reply(found)


async def _later(found: Awaitable[Any], reply: Callable[[Any], R], operation: str, store: Store, name: str) -> R:
    try:
        return reply(await found)
    except StoreError as error:
        raise StoreFailed(operation, f"{store.operations}_{name}", error) from error
