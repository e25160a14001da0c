"""A client of ``kv`` as PHP's package is one: protobuf over one blocking connection; and times for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Set
from types import TracebackType
from typing import Any

from pyroadrunner.cli.rpc_client import CallFailed, RpcClient
from pyroadrunner.goridge.address import parse_address
from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.plugins.kv.instants import parse_instant
from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, CountResponse, Item, Request, Response

REFUSED = CallFailed


def now() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def instant(ms: int) -> str:
    """A time for a request, to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


class KvClient:
    """Calls methods of ``kv`` for one storage."""

    def __init__(self, address: str, storage: str) -> None:
        self.storage = storage
        self._rpc = RpcClient(parse_address(address))
        self._sequence = 0

    def __enter__(self) -> KvClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rpc.close()

    def json(self, method: str, argument: Any) -> Any:
        """The same in JSON."""
        return self._rpc.call(f"kv.{method}", argument)

    def call(self, method: str, items: Iterable[Item] = ()) -> list[Item]:
        """The items of the answer.

        Raises:
            CallFailed: the text of an error.
        """
        request = Request(storage=self.storage, items=list(items))
        return list(Response.FromString(self._exchange(method, request.SerializeToString())).items)

    def set(self, values: Mapping[str, bytes], expires: int | None = None) -> None:
        timeout = "" if expires is None else instant(expires)
        assert self.call("Set", [Item(key=k, value=v, timeout=timeout) for k, v in values.items()]) == []

    def get(self, *keys: str) -> dict[str, bytes]:
        return {item.key: item.value for item in self.call("MGet", [Item(key=key) for key in keys])}

    def has(self, *keys: str) -> Set[str]:
        return {item.key for item in self.call("Has", [Item(key=key) for key in keys])}

    def ttl(self, *keys: str) -> dict[str, int | None]:
        """Times in milliseconds."""
        found = self.call("TTL", [Item(key=key) for key in keys])
        return {item.key: parse_instant(item.timeout) if item.timeout else None for item in found}

    def expire(self, times: Mapping[str, int]) -> None:
        assert self.call("MExpire", [Item(key=k, timeout=instant(ms)) for k, ms in times.items()]) == []

    def delete(self, *keys: str) -> None:
        assert self.call("Delete", [Item(key=key) for key in keys]) == []

    def clear(self) -> None:
        assert self.call("Clear") == []

    def set_absent(self, values: Mapping[str, bytes], expires: int | None = None) -> Set[str]:
        timeout = "" if expires is None else instant(expires)
        found = self.call("SetNX", [Item(key=k, value=v, timeout=timeout) for k, v in values.items()])
        return {item.key for item in found}

    def count(self, method: str, key: str, by: int | None = None, expires: int | None = None) -> int:
        timeout = "" if expires is None else instant(expires)
        request = CountRequest(storage=self.storage, key=key, by=by, timeout=timeout)
        return CountResponse.FromString(self._exchange(method, request.SerializeToString())).value

    def _exchange(self, method: str, body: bytes) -> bytes:
        self._sequence += 1
        self._rpc._ready().sendall(encode_call(self._sequence, f"kv.{method}".encode(), body, Flag.PROTO))
        answer = self._rpc._receive(self._rpc._ready(), 30.0)
        assert answer.sequence == self._sequence
        if answer.failed:
            raise CallFailed(answer.body.decode())
        return answer.body
