"""Status codes, and the error that ends a call with one."""

from __future__ import annotations

from enum import IntEnum

from google.protobuf.message import Message


class Code(IntEnum):
    """The status codes of gRPC."""

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


class GrpcError(Exception):
    """Ends a call with a status.

    Args:
        details: messages for the client, such as those of ``google.rpc``.
    """

    def __init__(self, code: int, message: str, *details: Message) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def status(self) -> bytes:
        """The serialized ``google.rpc.Status``."""
        parts = [b"\x08" + _varint(self.code & 0xFFFF_FFFF), _field(2, self.message.encode())]
        for detail in self.details:
            url = f"type.googleapis.com/{detail.DESCRIPTOR.full_name}"
            parts.append(_field(3, _field(1, url.encode()) + _field(2, detail.SerializeToString())))
        return b"".join(parts)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
