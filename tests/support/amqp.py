"""A small client of AMQP 0-9-1, written from its specification: it shows the bytes and types that are on the wire.

Independent of the client library of the driver. Tables are lists of (name, type, value), where ``type`` is the letter
of AMQP (with RabbitMQ's meaning): ``S`` text, ``x`` bytes, ``I`` and ``l`` integers of 32 and 64 bits, ``t`` boolean.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

Field = tuple[str, str, Any]
_NUMBERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">q", "f": ">f"}
_NUMBERS |= {"d": ">d", "T": ">Q", "t": ">?"}
# The properties of a message by their flags; the types as in tables, `o` for a byte and `s` for a short string.
_PROPERTIES = [
    ("content_type", "short"),
    ("content_encoding", "short"),
    ("headers", "table"),
    ("delivery_mode", "byte"),
    ("priority", "byte"),
    ("correlation_id", "short"),
    ("reply_to", "short"),
    ("expiration", "short"),
    ("message_id", "short"),
    ("timestamp", "time"),
    ("type", "short"),
    ("user_id", "short"),
    ("app_id", "short"),
    ("cluster_id", "short"),
]


@dataclass(frozen=True)
class Message:
    """A received message: all its properties, and its headers with their types."""

    properties: dict[str, Any]
    headers: list[Field]
    body: bytes

    def header(self, name: str) -> tuple[str, Any]:
        """Type and value of a header."""
        return next((kind, value) for found, kind, value in self.headers if found == name)


class AmqpClient:
    """A connection with one channel; a context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._expect(10, 10)
        self._call(0, 10, 11, table([]) + short("PLAIN") + long(b"\0guest\0guest") + short("en_US"))
        tune = self._expect(10, 30)
        self._call(0, 10, 31, tune[:6] + b"\0\0")
        self._call(0, 10, 40, short("/") + short("") + b"\0")
        self._expect(10, 41)
        self._call(1, 20, 10, short(""))
        self._expect(20, 11)

    def __enter__(self) -> AmqpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def declare(self, queue: str, arguments: Sequence[Field] = (), *, durable: bool = True) -> int:
        """Declare a queue, equal to an existing one; return how many messages it has."""
        self._call(1, 50, 10, b"\0\0" + short(queue) + bytes([2 if durable else 0]) + table(arguments))
        answer = self._expect(50, 11)
        return int.from_bytes(answer[1 + answer[0] :][:4], "big")

    def has(self, queue: str) -> bool:
        """Whether a queue exists. If not, the broker closes the channel: call nothing else afterwards."""
        self._call(1, 50, 10, b"\0\0" + short(queue) + b"\1" + table([]))
        _, answer = self._receive()
        return answer[:4] == struct.pack(">HH", 50, 11)

    def delete(self, queue: str) -> None:
        """Delete a queue with its messages."""
        self._call(1, 50, 40, b"\0\0" + short(queue) + b"\0")
        self._expect(50, 41)

    def delete_exchange(self, exchange: str) -> None:
        self._call(1, 40, 20, b"\0\0" + short(exchange) + b"\0")
        self._expect(40, 21)

    def publish(self, exchange: str, key: str, body: bytes, headers: Sequence[Field] = ()) -> None:
        """Publish a message; return once the broker has it."""
        self._call(1, 60, 40, b"\0\0" + short(exchange) + short(key) + b"\0")
        flags = 1 << 15 - 2
        content = struct.pack(">HHQH", 60, 0, len(body), flags) + table(headers)
        self._send(2, 1, content)
        if body:
            self._send(3, 1, body)
        self._call(1, 20, 20, b"\1")  # channel.flow is answered after what was sent before
        self._expect(20, 21)

    def get(self, queue: str) -> Message | None:
        """Take one message; ``None`` if the queue is empty."""
        self._call(1, 60, 70, b"\0\0" + short(queue) + b"\1")
        _, answer = self._receive()
        if answer[:4] == struct.pack(">HH", 60, 72):
            return None
        assert answer[:4] == struct.pack(">HH", 60, 71), answer
        _, head = self._receive()
        size, flags = struct.unpack_from(">QH", head, 4)
        properties, headers = _properties(flags, head[14:])
        body = b""
        while len(body) < size:
            body += self._receive()[1]
        return Message(properties, headers, body)

    def _call(self, channel: int, kind: int, method: int, arguments: bytes) -> None:
        self._send(1, channel, struct.pack(">HH", kind, method) + arguments)

    def _send(self, kind: int, channel: int, content: bytes) -> None:
        self._socket.sendall(struct.pack(">BHI", kind, channel, len(content)) + content + b"\xce")

    def _receive(self) -> tuple[int, bytes]:
        kind, _, size = struct.unpack(">BHI", self._file.read(7))
        content = self._file.read(size + 1)
        assert content[-1:] == b"\xce"
        return kind, content[:-1]

    def _expect(self, kind: int, method: int) -> bytes:
        _, content = self._receive()
        assert content[:4] == struct.pack(">HH", kind, method), content
        return content[4:]


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def table(fields: Sequence[Field]) -> bytes:
    return long(b"".join(short(name) + _encoded(kind, value) for name, kind, value in fields))


def _encoded(kind: str, value: Any) -> bytes:
    head = kind.encode()
    if kind == "S":
        return head + long(value.encode())
    if kind == "x":
        return head + long(value)
    if kind == "D":
        return head + struct.pack(">Bi", *value)
    if kind == "A":
        return head + long(b"".join(_encoded(*one) for one in value))
    if kind == "F":
        return head + table(value)
    return head if kind == "V" else head + struct.pack(_NUMBERS[kind], value)


def _properties(flags: int, data: bytes) -> tuple[dict[str, Any], list[Field]]:
    found: dict[str, Any] = {}
    headers: list[Field] = []
    for at, (name, kind) in enumerate(_PROPERTIES):
        if not flags & (1 << 15 - at):
            continue
        if kind == "table":
            size = int.from_bytes(data[:4], "big")
            headers, data = _fields(data[4 : 4 + size]), data[4 + size :]
        elif kind == "short":
            found[name], data = data[1 : 1 + data[0]].decode(), data[1 + data[0] :]
        else:
            size = {"byte": 1, "time": 8}[kind]
            found[name], data = int.from_bytes(data[:size], "big"), data[size:]
    return found, headers


def _fields(data: bytes) -> list[Field]:
    found: list[Field] = []
    while data:
        name, data = data[1 : 1 + data[0]].decode(), data[1 + data[0] :]
        kind, data = data[:1].decode(), data[1:]
        if kind in "SxAF":
            size = int.from_bytes(data[:4], "big")
            value: Any = data[4 : 4 + size]
            data = data[4 + size :]
            value = value.decode() if kind == "S" else _fields(value) if kind == "F" else value
        else:
            (value,), size = struct.unpack_from(_NUMBERS[kind], data), struct.calcsize(_NUMBERS[kind])
            data = data[size:]
        found.append((name, kind, value))
    return found
