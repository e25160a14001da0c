"""A client of ``kv`` like PHP's package: protobuf over one blocking connection; and timestamps for it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Mapping, Set
from types import TracebackType
from typing import Any

from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import Answer, encode_call, read_answer
from pyroadrunner.net.address import TcpAddress, parse_address
from pyroadrunner.plugins.kv.timestamps import parse_timestamp
from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, CountResponse, Item, Request, Response


class Refused(Exception):
    """The server replied with an error; the text is the server's."""


class Gone(Exception):
    """The server closed the connection."""


def now() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


def instant(ms: int) -> str:
    """A timestamp for a request, to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


class KvClient:
    """Calls methods of ``kv`` for one storage."""

    def __init__(self, address: str, storage: str) -> None:
        self.storage = storage
        where = parse_address(address)
        assert isinstance(where, TcpAddress)
        self._socket = socket.create_connection((where.to_connect().host, where.port), 30)
        self._frames = FrameReader()
        self._read: list[Frame] = []
        self._sequence = 0

    def __enter__(self) -> KvClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def json(self, method: str, argument: Any) -> Any:
        """Like ``call``, in JSON."""
        return json.loads(self._exchange(method, json.dumps(argument).encode(), Flag.JSON))

    def together(self, method: str, keys: Iterable[str]) -> list[str]:
        """Make one call for each key concurrently; return the texts of the errors."""
        sequences = []
        for key in keys:
            request = Request(storage=self.storage, items=[Item(key=key)])
            sequences.append(self._send(method, request.SerializeToString(), Flag.PROTO))
        answers = [self._receive() for _ in sequences]
        return [answer.body.decode() for answer in answers if answer.failed]

    def call(self, method: str, items: Iterable[Item] = ()) -> list[Item]:
        """The items of the reply.

        Raises:
            Refused: the text of an error.
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
        """Expiry times in milliseconds."""
        found = self.call("TTL", [Item(key=key) for key in keys])
        return {item.key: parse_timestamp(item.timeout) if item.timeout else None for item in found}

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

    def _exchange(self, method: str, body: bytes, codec: int = Flag.PROTO) -> bytes:
        sequence = self._send(method, body, codec)
        answer = self._receive()
        assert answer.sequence == sequence
        if answer.failed:
            raise Refused(answer.body.decode())
        return answer.body

    def _send(self, method: str, body: bytes, codec: int) -> int:
        self._sequence += 1
        self._socket.sendall(encode_call(self._sequence, f"kv.{method}".encode(), body, codec))
        return self._sequence

    def _receive(self) -> Answer:
        while not self._read:
            data = self._socket.recv(1 << 16)
            if not data:
                raise Gone
            self._read += self._frames.feed(data)
        return read_answer(self._read.pop(0))
