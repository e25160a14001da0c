"""Range requests: which bytes of a body a client requests (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_RANGE = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_MOST = 32  # ranges of one request; with more, the client gets the whole body


class Range(NamedTuple):
    """``length`` bytes from ``start`` on."""

    start: int
    length: int

    def header(self, size: int) -> bytes:
        """The value of ``Content-Range``."""
        return b"bytes %d-%d/%d" % (self.start, self.start + self.length - 1, size)


def read_ranges(value: bytes, size: int) -> list[Range] | None:
    """The parts that a ``Range`` header requests, in its order.

    Args:
        value: the header; empty = absent.
        size: of the whole body, in bytes.

    Returns:
        An empty list if no requested part exists (416). ``None`` = send the whole body: the header is absent or
        malformed, or its ranges add up to more than the body (overlapping ranges are a denial-of-service attack).
    """
    unit, _, rest = value.decode("latin-1").partition("=")
    if unit.strip().lower() != "bytes":
        return None
    items = [item.strip() for item in rest.split(",")]
    if len(items) > _MOST:
        return None
    found = []
    for item in items:
        if not item:
            continue
        match = _RANGE.fullmatch(item)
        if match is None or item == "-":
            return None
        part = _part(match[1], match[2], size)
        if part is None:
            return None
        if part.length > 0:
            found.append(part)
    if not any(items) or sum(part.length for part in found) > size:
        return None
    return found


def _part(first: str, last: str, size: int) -> Range | None:
    """One range, of length 0 if it is outside the body; ``None`` if it is malformed."""
    if not first:
        length = min(int(last), size)
        return Range(size - length, length)
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    return Range(start, max(end - start + 1, 0))


def multipart(parts: Sequence[Range], size: int, content_type: bytes, boundary: bytes) -> tuple[list[bytes], bytes]:
    """The head before each part of a ``multipart/byteranges`` body, and the end after the last part."""
    heads = [
        b"%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n"
        % (b"\r\n" if number else b"", boundary, content_type, part.header(size))
        for number, part in enumerate(parts)
    ]
    return heads, b"\r\n--%s--\r\n" % boundary
