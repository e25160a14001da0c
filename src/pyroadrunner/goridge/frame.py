"""Frame <-> bytes: header, flags, options, checksum. Pure.

Layout, all integers little-endian (goridge ``pkg/frame``): 12 bytes of header, up to ten u32 options, the payload.

    0     high nibble version (1), low nibble header length in words (3 + number of options)
    1     flags: kind and codec
    2-5   payload length, options not counted
    6-9   CRC-32 of bytes 0-5 only
    10    stream bits
    11    reserved, 0
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from struct import Struct
from zlib import crc32

import msgspec

from pyroadrunner.goridge.errors import LocalFrameError

VERSION = 1
HEADER_SIZE = 12
MAX_OPTIONS = 10
MAX_PAYLOAD = 0xFFFF_FFFF

_HEAD = Struct("<BBI").pack
_TAIL = Struct("<IH").pack
_TAIL_ONE_OPTION = Struct("<IHI").pack


class Flag(IntFlag):
    """Byte 1. By convention only one codec is set; the protocol does not enforce it."""

    CONTROL = 0x01
    RAW = 0x04
    JSON = 0x08
    MSGPACK = 0x10
    GOB = 0x20
    ERROR = 0x40
    PROTO = 0x80


class Stream(IntFlag):
    """Byte 10."""

    STREAM = 0x01  # worker: more frames of this reply follow
    STOP = 0x02  # server: end the running stream
    PING = 0x04  # worker, with STREAM: reply with PONG
    PONG = 0x08  # server


class Frame(msgspec.Struct, gc=False):
    """A decoded frame. Compared by value.

    Attributes:
        flags: byte 1, plain int (compare with :class:`Flag`); unknown bits are kept.
        payload: the bytes after header and options.
        options: the u32 options.
        stream: byte 10, plain int (compare with :class:`Stream`).
    """

    flags: int
    payload: bytes = b""
    options: tuple[int, ...] = ()
    stream: int = 0

    def __repr__(self) -> str:
        kind = Flag(self.flags).name or hex(self.flags)
        stream = f", stream={Stream(self.stream).name or hex(self.stream)}" if self.stream else ""
        return f"Frame({kind}, options={self.options}, payload={len(self.payload)} B{stream})"


def encode(flags: int, payload: bytes = b"", options: Sequence[int] = (), stream: int = 0) -> bytes:
    """Build one frame.

    Raises:
        LocalFrameError: more than ten options, an option or a payload that does not fit into 32 bits.
    """
    if len(options) > MAX_OPTIONS:
        raise LocalFrameError(f"a frame carries at most {MAX_OPTIONS} options, not {len(options)}")
    if len(payload) > MAX_PAYLOAD:
        raise LocalFrameError(f"a frame carries at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    for option in options:
        if not 0 <= option <= 0xFFFF_FFFF:
            raise LocalFrameError(f"option {option} does not fit into 32 bits")
    head = _HEAD(VERSION << 4 | 3 + len(options), flags, len(payload))
    words = b"".join([option.to_bytes(4, "little") for option in options])
    return b"".join((head, _TAIL(crc32(head), stream), words, payload))


def encode_payload(context: bytes, body: bytes | bytearray, flags: int, stream: int = 0) -> bytes:
    """Build the frame of a worker's request or reply: one option, the length of the context. The hot path.

    Raises:
        LocalFrameError: context and body together exceed 32 bits of length.
    """
    size = len(context)
    length = size + len(body)
    if length > MAX_PAYLOAD:
        raise LocalFrameError(f"a frame carries at most {MAX_PAYLOAD} bytes, not {length}")
    head = _HEAD(VERSION << 4 | 4, flags, length)
    return b"".join((head, _TAIL_ONE_OPTION(crc32(head), stream, size), context, body))


def encode_head(context: bytes, body_size: int, flags: int) -> bytes:
    """Build the frame of :func:`encode_payload` without its body. The caller sends the body after it, without a copy.

    Raises:
        LocalFrameError: context and body together exceed 32 bits of length.
    """
    size = len(context)
    if size + body_size > MAX_PAYLOAD:
        raise LocalFrameError(f"a frame carries at most {MAX_PAYLOAD} bytes, not {size + body_size}")
    head = _HEAD(VERSION << 4 | 4, flags, size + body_size)
    return b"".join((head, _TAIL_ONE_OPTION(crc32(head), 0, size), context))


# Constant frames.
STOP_WORKER = encode(Flag.CONTROL | Flag.JSON, b'{"stop":true}')
STOP_STREAM = encode(0, stream=Stream.STOP)
PONG = encode(0, stream=Stream.PONG)
