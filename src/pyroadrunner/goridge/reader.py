"""Bytes so far -> frames, or "need more". Pure and incremental: pieces may be cut anywhere.

Theory of operation. Almost always a chunk from the relay is exactly one small frame, so ``feed`` first tries to cut
frames straight out of the chunk. Only what is left over is kept: while a header is incomplete in ``_rest``, and once
the length of a frame is known in ``_pieces``, which are joined once when the frame is complete (a 100 MB answer is
copied once, not once per read).

A peer that writes text to its stdout is found out at its first byte (no frame starts with anything but ``0x1?``), not
after the number of bytes its low nibble happens to ask for.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from pyroadrunner.goridge.errors import RemoteFrameError
from pyroadrunner.goridge.frame import HEADER_SIZE, MAX_OPTIONS, MAX_PAYLOAD, VERSION, Frame

_HEADER = Struct("<BBIIBB").unpack_from
_WORD = Struct("<I").unpack_from
_FIRST_BYTES = frozenset(VERSION << 4 | words for words in range(3, 3 + MAX_OPTIONS + 1))
_NO_OPTIONS: tuple[int, ...] = ()


class FrameReader:
    """Cuts one peer's byte stream into frames. After a :class:`RemoteFrameError` it must not be fed again.

    Args:
        max_payload: largest payload accepted, bytes; a header that announces more is an error at once, before anything
            of that size is kept.
    """

    __slots__ = ("_have", "_need", "_pieces", "_rest", "max_payload")

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self.max_payload = max_payload
        self._rest = b""  # less than a frame, length unknown yet or known but small
        self._pieces: list[bytes] = []  # of a frame whose total length ``_need`` is known
        self._have = 0
        self._need = 0

    def __repr__(self) -> str:
        return f"FrameReader(buffered={self.buffered} B, need={self._need} B)"

    @property
    def buffered(self) -> int:
        """Bytes kept of a frame that is not complete; 0 at a frame boundary."""
        return len(self._rest) + self._have

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived, return the frames it completes, in order.

        Raises:
            RemoteFrameError: the bytes are no frame; ``garbage`` is the undecodable rest of what was fed.
        """
        if self._need:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._pieces)
            self._pieces = []
            self._have = self._need = 0
        elif self._rest:
            data = self._rest + data
            self._rest = b""
        frames: list[Frame] = []
        at = 0
        end = len(data)
        while at < end:
            first = data[at]
            if first not in _FIRST_BYTES:
                raise RemoteFrameError("not a frame", data[at:])
            if end - at < HEADER_SIZE:
                break
            _, flags, length, crc, stream, _ = _HEADER(data, at)
            if crc32(data[at : at + 6]) != crc:
                raise RemoteFrameError("checksum of the frame header does not match", data[at:])
            if length > self.max_payload:
                raise RemoteFrameError(f"frame of {length} bytes exceeds the limit of {self.max_payload}", data[at:])
            start = at + (first & 0x0F) * 4
            stop = start + length
            if stop > end:
                if at == 0:
                    self._pieces = [data]
                else:
                    self._pieces = [data[at:]]
                self._have = end - at
                self._need = stop - at
                return frames
            if first == 0x14:
                options: tuple[int, ...] = _WORD(data, at + HEADER_SIZE)
            elif start == at + HEADER_SIZE:
                options = _NO_OPTIONS
            else:
                options = tuple(_WORD(data, i)[0] for i in range(at + HEADER_SIZE, start, 4))
            frames.append(Frame(flags, data[start:stop], options, stream))
            at = stop
        if at < end:
            self._rest = data[at:] if at else data
        return frames
