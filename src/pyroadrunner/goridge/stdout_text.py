"""Text among frames: a worker's prints to the stdout that carries its replies. Pure.

``echo``, ``var_dump`` and ``dd`` write to the same pipe as the frames, before or after them. The checksum of its header
tells a frame from text.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

from pyroadrunner.goridge.frame import HEADER_SIZE
from pyroadrunner.goridge.reader import FIRST_BYTES

_HEADER = Struct("<BBIIBB").unpack_from


def printed_text(data: bytes) -> str:
    """The text in ``data``, without the frames."""
    pieces = []
    at = 0
    for start, end in _frames(data):
        pieces.append(data[at:start])
        at = end
    return b"".join([*pieces, data[at:]]).decode(errors="replace")


def contains_frame(data: bytes) -> bool:
    """Whether ``data`` contains a complete frame."""
    return any(end <= len(data) for _, end in _frames(data))


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each frame; the last one may end beyond the data."""
    at = 0
    while at <= len(data) - HEADER_SIZE:
        if data[at] in FIRST_BYTES:
            first, _, length, crc, _, _ = _HEADER(data, at)
            if crc32(data[at : at + 6]) == crc:
                end = at + (first & 0x0F) * 4 + length
                yield at, end
                at = end
                continue
        at += 1
