"""Status codes, their names, and ``google.rpc.Status``.

(https://github.com/grpc/grpc/blob/master/doc/statuscodes.md; google/rpc/status.proto) Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from pyroadrunner.errors import RoadRunnerError


class StatusCode(IntEnum):
    """A code of the protocol. Workers may send other integers, so a status is an ``int`` where it comes from them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# grpc-go's spelling, which metrics of RoadRunner use.
_NAMES = {code: "".join(word.capitalize() for word in code.name.split("_")) for code in StatusCode}
_NAMES[StatusCode.OK] = "OK"
_NAMES[StatusCode.CANCELLED] = "Canceled"


def code_name(code: int) -> str:
    """The name of a code: ``InvalidArgument``; ``Code(99)`` if it has none."""
    return _NAMES.get(code) or f"Code({code})"  # type: ignore[call-overload]


class GrpcStatus(RoadRunnerError):
    """Ends a call with a status.

    Attributes:
        code: usually a :class:`StatusCode`.
        message: for the client.
        details: a serialized ``google.rpc.Status`` for the client; empty = none.
    """

    def __init__(self, code: int, message: str, details: bytes = b"") -> None:
        super().__init__(f"{code_name(code)}: {message}")
        self.code = code
        self.message = message
        self.details = details


class RpcStatus(NamedTuple):
    """The fields of a ``google.rpc.Status`` that decide how a call ends.

    Attributes:
        has_details: whether it has values in ``details``.
    """

    code: int
    message: str
    has_details: bool


def read_status(data: bytes) -> RpcStatus:
    """Read a serialized ``google.rpc.Status``.

    Raises:
        ValueError: the bytes are no such message.
    """
    code, message, details = 0, "", False
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            code = _int32(value)
        elif number == 2 and isinstance(value, bytes):
            message = value.decode()
        elif number == 3 and isinstance(value, bytes):
            _check_any(value)
            details = True
        elif number in (1, 2, 3):
            raise ValueError(f"field {number} has the wrong type")
    return RpcStatus(code, message, details)


def write_status(code: int, message: str, details: Iterable[bytes] = ()) -> bytes:
    """Serialize a ``google.rpc.Status``; ``details`` are serialized ``google.protobuf.Any``."""
    parts = [b"\x08", _varint(code)] if code else []
    text = message.encode("utf-8", "replace")
    for tag, value in ((b"\x12", text), *((b"\x1a", one) for one in details)):
        if value or tag == b"\x1a":
            parts += (tag, _varint(len(value)), value)
    return b"".join(parts)


def is_any(data: bytes) -> bool:
    """Whether the bytes are a serialized ``google.protobuf.Any``."""
    try:
        _check_any(data)
    except ValueError:
        return False
    return True


def _check_any(data: bytes) -> None:
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            value.decode()
        elif number in (1, 2) and not isinstance(value, bytes):
            raise ValueError(f"field {number} of an Any has the wrong type")


def _fields(data: bytes) -> Iterable[tuple[int, int | bytes]]:
    """The fields of a message: numbers for varint and fixed fields, bytes for the others."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"invalid field number {number}")
        value: int | bytes
        if kind == 0:
            value, at = _read_varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            if at + size > len(data):
                raise ValueError("unexpected end of the message")
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        elif kind == 2:
            size, at = _read_varint(data, at)
            if at + size > len(data):
                raise ValueError("unexpected end of the message")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"invalid wire type {kind}")
        yield number, value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("unexpected end of the message")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise ValueError("a varint is longer than 10 bytes")


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative int32 has ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value
