"""Length-prefixed messages: a flag byte, four bytes of length, the message. Pure."""

from __future__ import annotations

import gzip
import zlib

from pyroadrunner.grpcd.status import GrpcStatus, StatusCode

PREFIX = 5  # bytes before a message
_GZIP = 31  # zlib's window bits for the gzip format
_FAST = 1  # level; RPC is about latency
ENCODINGS = (b"identity", b"gzip")


def frame(message: bytes, *, compress: bool = False) -> bytes:
    """A message with its prefix."""
    if compress:
        message = gzip.compress(message, _FAST, mtime=0)
        return b"\x01" + len(message).to_bytes(4, "big") + message
    return b"\x00" + len(message).to_bytes(4, "big") + message


class MessageReader:
    """Splits the body of a request into messages.

    Args:
        limit: bytes of a message, compressed or not.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def __repr__(self) -> str:
        return f"MessageReader({len(self._buffer)} B buffered, limit={self._limit})"

    def feed(self, data: bytes) -> None:
        """Add bytes of the body."""
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """The next message with its flag, for :func:`decompress`; ``None`` if it has not arrived whole.

        Raises:
            GrpcStatus: it is too large.
        """
        buffer = self._buffer
        if len(buffer) < PREFIX:
            return None
        size = int.from_bytes(buffer[1:PREFIX], "big")
        if size > self._limit:
            raise too_large("received", size, self._limit)
        end = PREFIX + size
        if len(buffer) < end:
            return None
        flag, message = buffer[0], bytes(memoryview(buffer)[PREFIX:end])
        del buffer[:end]
        return flag, message

    def check_end(self) -> None:
        """The body has ended.

        Raises:
            GrpcStatus: in the middle of a message.
        """
        if self._buffer:
            raise GrpcStatus(StatusCode.INTERNAL, "the request ended in the middle of a message")


def decompress(flag: int, message: bytes, encoding: bytes, limit: int) -> bytes:
    """The content of a message.

    Args:
        encoding: of compressed messages: the request's ``grpc-encoding``.
        limit: bytes of the content.

    Raises:
        GrpcStatus: the flag is unknown, no encoding was announced, the data is no gzip, or its content is longer than
            ``limit``.
    """
    if not flag:
        return message
    if flag != 1:
        raise GrpcStatus(StatusCode.INTERNAL, f"grpc: received unexpected payload format {flag}")
    if encoding != b"gzip":
        raise GrpcStatus(StatusCode.INTERNAL, "grpc: compressed flag set with identity or empty encoding")
    return _gunzip(message, limit)


def _gunzip(data: bytes, limit: int) -> bytes:
    """Decompress at most ``limit`` bytes, whatever a small message claims."""
    out = []
    left = limit + 1
    while data:
        stream = zlib.decompressobj(_GZIP)
        try:
            part = stream.decompress(data, left)
        except zlib.error as wrong:
            raise GrpcStatus(
                StatusCode.INTERNAL, f"grpc: failed to decompress the received message: {wrong}"
            ) from wrong
        out.append(part)
        left -= len(part)
        if left <= 0:
            raise GrpcStatus(
                StatusCode.RESOURCE_EXHAUSTED,
                f"grpc: received message after decompression larger than max ({limit})",
            )
        if not stream.eof:
            raise GrpcStatus(StatusCode.INTERNAL, "grpc: failed to decompress the received message: unexpected EOF")
        data = stream.unused_data
    return b"".join(out)


def too_large(what: str, size: int, limit: int) -> GrpcStatus:
    """The status of a message above a limit.

    Args:
        what: ``received`` or ``trying to send``.
    """
    return GrpcStatus(StatusCode.RESOURCE_EXHAUSTED, f"grpc: {what} message larger than max ({size} vs. {limit})")
