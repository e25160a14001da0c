"""Bodies of gRPC-Web: messages as in gRPC, then the trailers as one more frame; perhaps all of it in base64. Pure."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from typing import NamedTuple

_TYPE = re.compile(rb"application/grpc-web(-text)?(\+[a-z0-9.\-]+)?\s*(;.*)?", re.IGNORECASE)
_TRAILERS = 0x80  # flag of the frame


class WebType(NamedTuple):
    """A content type of gRPC-Web.

    Attributes:
        text: whether the body is base64.
        suffix: such as ``+proto``; may be empty.
    """

    text: bool
    suffix: bytes

    @property
    def grpc(self) -> bytes:
        """The content type of the same messages in gRPC."""
        return b"application/grpc" + self.suffix

    @property
    def own(self) -> bytes:
        """The content type of a response."""
        return b"application/grpc-web" + (b"-text" if self.text else b"") + self.suffix


def web_type(content_type: bytes) -> WebType | None:
    """The type of a body; ``None`` if it is not gRPC-Web."""
    found = _TYPE.fullmatch(content_type)
    return None if found is None else WebType(found[1] is not None, (found[2] or b"").lower())


def trailers_frame(trailers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The last frame of a response."""
    block = b"".join(b"%s: %s\r\n" % pair for pair in trailers)
    return bytes((_TRAILERS,)) + len(block).to_bytes(4, "big") + block


def encode_text(data: bytes) -> bytes:
    """A part of a body in base64. Parts may each have padding."""
    return binascii.b2a_base64(data, newline=False)


class TextDecoder:
    """Decodes a body that arrives in parts: base64, with padding at any multiple of four characters."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def __repr__(self) -> str:
        return f"TextDecoder({len(self._rest)} characters buffered)"

    def feed(self, data: bytes) -> bytes:
        """Decode what is complete.

        Raises:
            ValueError: it is no base64.
        """
        data = self._rest + data
        whole = len(data) & ~3
        self._rest = data[whole:]
        if b"=" not in data[:whole]:
            return _decode(data[:whole])
        return b"".join(_decode(part) for part in _padded_parts(data[:whole]))

    def check_end(self) -> None:
        """The body has ended.

        Raises:
            ValueError: in the middle of a group of four characters.
        """
        if self._rest:
            raise ValueError("the body ends in the middle of a group of four characters")


def _padded_parts(data: bytes) -> Iterable[bytes]:
    """Split after each group of four characters that ends with padding."""
    start = 0
    while (at := data.find(b"=", start)) >= 0:
        end = (at | 3) + 1
        yield data[start:end]
        start = end
    yield data[start:]


def _decode(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True) if data else b""
    except binascii.Error as wrong:
        raise ValueError(f"the body is no base64: {wrong}") from wrong
