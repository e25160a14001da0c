"""Encodes and decodes FastCGI records (specification 1.0, section 3.3) and name-value pairs (3.4). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from pyroadrunner.plugins.http.errors import HttpError

VERSION = 1
LONGEST = 65_535  # bytes of one record's content
_PIECE = 65_528  # content of the records we send: a multiple of 8, as the specification recommends
_HEADER = Struct(">BBHHBx")  # version, type, request id, length of the content, length of the padding
_BEGIN = Struct(">HB5x")  # role, flags
_END = Struct(">LB3x")  # application status, protocol status


class FastCgiError(HttpError):
    """The web server sent malformed FastCGI."""


class Type(IntEnum):
    """The type of a record."""

    BEGIN_REQUEST = 1
    ABORT_REQUEST = 2
    END_REQUEST = 3
    PARAMS = 4
    STDIN = 5
    STDOUT = 6
    STDERR = 7
    DATA = 8
    GET_VALUES = 9
    GET_VALUES_RESULT = 10
    UNKNOWN_TYPE = 11


RESPONDER = 1  # the role of a server that answers requests
KEEP_CONN = 1  # flag: keep the connection open


class Status(IntEnum):
    """Protocol status at the end of a request."""

    REQUEST_COMPLETE = 0
    CANT_MPX_CONN = 1
    OVERLOADED = 2
    UNKNOWN_ROLE = 3


class Record(NamedTuple):
    """One record. ``type`` may be missing in :class:`Type`."""

    type: int
    id: int
    content: bytes


class RecordReader:
    """Splits a byte stream into records."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __repr__(self) -> str:
        return f"RecordReader({len(self._buffer)} bytes waiting)"

    def feed(self, data: bytes) -> Iterator[Record]:
        """Return the records that are complete with these bytes.

        Raises:
            FastCgiError: malformed data; the connection must be closed.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _HEADER.size:
                version, kind, ident, length, padding = _HEADER.unpack_from(buffer, start)
                if version != VERSION:
                    raise FastCgiError(f"unknown FastCGI version {version}; is the client a web server?")
                body = start + _HEADER.size
                if len(buffer) < body + length + padding:
                    return
                content = bytes(memoryview(buffer)[body : body + length])
                start = body + length + padding
                yield Record(kind, ident, content)
        finally:
            del buffer[:start]


def record(kind: Type, ident: int, content: bytes = b"") -> bytes:
    """Encode a record; a record without content ends a stream."""
    return _HEADER.pack(VERSION, kind, ident, len(content), 0) + content


def stream(kind: Type, ident: int, content: bytes) -> bytes:
    """Encode content in as many records as needed; none if it is empty."""
    if len(content) <= LONGEST:
        return record(kind, ident, content) if content else b""
    view = memoryview(content)
    return b"".join(
        part
        for at in range(0, len(content), _PIECE)
        for piece in [view[at : at + _PIECE]]
        for part in (_HEADER.pack(VERSION, kind, ident, len(piece), 0), piece)
    )


def begin_request(content: bytes) -> tuple[int, int]:
    """Decode role and flags.

    Raises:
        FastCgiError: the content is too short.
    """
    if len(content) < _BEGIN.size:
        raise FastCgiError("BEGIN_REQUEST is too short")
    role, flags = _BEGIN.unpack_from(content)
    return role, flags


def end_request(ident: int, status: Status, code: int = 0) -> bytes:
    """Encode the record that ends a request.

    Args:
        code: the exit status of a CGI program.
    """
    return record(Type.END_REQUEST, ident, _END.pack(code, status))


def unknown_type(kind: int) -> bytes:
    """Encode the reply to a management record of unknown type."""
    return record(Type.UNKNOWN_TYPE, 0, bytes((kind, 0, 0, 0, 0, 0, 0, 0)))


def read_pairs(content: bytes) -> dict[bytes, bytes]:
    """Decode name-value pairs; the last of a name wins.

    Raises:
        FastCgiError: a pair is truncated.
    """
    pairs: dict[bytes, bytes] = {}
    at = 0
    while at < len(content):
        name, at = _length(content, at)
        value, at = _length(content, at)
        middle, end = at + name, at + name + value
        if end > len(content):
            raise FastCgiError("a variable is truncated")
        pairs[content[at:middle]] = content[middle:end]
        at = end
    return pairs


def write_pairs(pairs: dict[bytes, bytes]) -> bytes:
    """Encode name-value pairs."""
    out = bytearray()
    for name, value in pairs.items():
        for size in (len(name), len(value)):
            out += bytes((size,)) if size < 0x80 else (size | 0x80000000).to_bytes(4, "big")
        out += name + value
    return bytes(out)


def _length(content: bytes, at: int) -> tuple[int, int]:
    """Decode a length: one byte, or four with the highest bit set. Return it and its end."""
    first = content[at : at + 1]
    if first and first[0] < 0x80:
        return first[0], at + 1
    four = content[at : at + 4]
    if len(four) < 4:
        raise FastCgiError("a length is truncated")
    return int.from_bytes(four, "big") & 0x7FFFFFFF, at + 4
