"""Decode frames from a byte stream. Pure and incremental: chunks may end anywhere.

Theory of operation. A chunk from the relay is almost always exactly one small frame, so ``feed`` first tries to cut
frames straight out of the chunk. It keeps only the remainder: an incomplete header (with its options) in ``_buffer``.
After the header, the frame waits in ``_open`` for its payload. The pieces of the payload are joined once, when the last
one has arrived (a 100 MB reply is copied once, not once per read).

A peer that writes text to its stdout is detected at its first byte (every frame starts with ``0x1?``), not after the
number of bytes that its low nibble happens to announce.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from pyroadrunner.goridge.errors import FramePassedOver, FrameTooLarge, RemoteFrameError
from pyroadrunner.goridge.frame import HEADER_SIZE, MAX_OPTIONS, MAX_PAYLOAD, VERSION, Frame

_HEADER = Struct("<BBIIBB").unpack_from
_WORD = Struct("<I").unpack_from
_TWO_WORDS = Struct("<II").unpack_from
FIRST_BYTES = frozenset(VERSION << 4 | words for words in range(3, 3 + MAX_OPTIONS + 1))
_NO_OPTIONS: tuple[int, ...] = ()
_PASSED = Frame(0)  # an open frame whose bytes are skipped


class FrameReader:
    """Splits one peer's byte stream into frames. After a :class:`RemoteFrameError` it must not be fed again, except
    after :class:`FramePassedOver`.

    Args:
        beginning: bytes to keep of a frame larger than ``max_payload``, whose rest is then skipped; 0 = such a frame is
            a fatal :class:`FrameTooLarge`.

    Attributes:
        max_payload: largest accepted payload, in bytes. A header that announces more is an error immediately, before
            any payload is buffered. May be changed between two feeds.
        completed: the frames that a :meth:`feed` which raised had completed before the error.
    """

    __slots__ = (
        "_beginning",
        "_buffer",
        "_length",
        "_missing",
        "_open",
        "_pieces",
        "_size",
        "completed",
        "max_payload",
    )

    def __init__(self, max_payload: int = MAX_PAYLOAD, *, beginning: int = 0) -> None:
        self.max_payload = max_payload
        self._beginning = beginning
        self._length = 0  # of a frame that is too large, while its beginning is read
        self.completed: list[Frame] = []
        self._buffer = b""  # an incomplete header
        self._open: Frame | None = None  # a frame with an incomplete payload: ``_missing`` bytes are still to come
        self._pieces: list[bytes] = []
        self._size = 0  # bytes of ``_open`` before its payload, plus those of ``_pieces``
        self._missing = 0

    def __repr__(self) -> str:
        return f"FrameReader(buffered={self.buffered} B, missing={self._missing} B)"

    @property
    def buffered(self) -> int:
        """Buffered bytes of an incomplete frame; 0 at a frame boundary."""
        return len(self._buffer) + self._size

    def feed(self, data: bytes) -> list[Frame]:
        """Decode a chunk and return the frames that it completes, in order.

        Raises:
            RemoteFrameError: the bytes are not a frame, or the frame is larger than ``max_payload``
                (:class:`FrameTooLarge`). ``garbage`` is the undecodable rest of the input; the frames before it are in
                :attr:`completed`.
            FramePassedOver: the beginning of a frame that is too large has arrived. Feed its ``rest``, then further
                input.
        """
        frames: list[Frame] = []
        at = 0
        if self._open is not None:
            at = self._missing
            if len(data) < at:
                if self._open is not _PASSED:
                    self._pieces.append(data)
                    self._size += len(data)
                self._missing -= len(data)
                return frames
            if self._open is _PASSED:
                self._open = None
                self._missing = 0
            elif self._length:
                self.completed = frames
                raise self._pass(self._close(self._open, data[:at]), data[at:])
            else:
                frames.append(self._close(self._open, data[:at]))
        elif self._buffer:
            data = self._buffer + data
            self._buffer = b""
        end = len(data)
        while at < end:
            first = data[at]
            if first not in FIRST_BYTES:
                self.completed = frames
                raise RemoteFrameError("not a frame", data[at:])
            start = at + (first & 0x0F) * 4
            if end - at >= HEADER_SIZE:
                _, flags, length, crc, stream, _ = _HEADER(data, at)
                if crc32(data[at : at + 6]) != crc:
                    self.completed = frames
                    raise RemoteFrameError("checksum of the frame header does not match", data[at:])
                if length > self.max_payload and not self._beginning:
                    self.completed = frames
                    raise FrameTooLarge(length, self.max_payload)
            if start > end:
                self._buffer = data[at:]
                return frames
            if first == 0x14:
                options: tuple[int, ...] = _WORD(data, at + HEADER_SIZE)
            elif first == 0x15:
                options = _TWO_WORDS(data, at + HEADER_SIZE)
            elif first == 0x13:
                options = _NO_OPTIONS
            else:
                options = tuple(_WORD(data, i)[0] for i in range(at + HEADER_SIZE, start, 4))
            if length > self.max_payload:
                self._length = length
                length = min(length, self._beginning)
            stop = start + length
            if stop > end:
                self._open = Frame(flags, b"", options, stream)
                self._pieces = [data[start:]]
                self._size = end - at
                self._missing = stop - end
                return frames
            if self._length:
                self.completed = frames
                raise self._pass(Frame(flags, data[start:stop], options), data[stop:])
            frames.append(Frame(flags, data[start:stop], options, stream))
            at = stop
        return frames

    def _pass(self, frame: Frame, rest: bytes) -> FramePassedOver:
        """Skip the rest of a frame whose beginning has arrived."""
        length, self._length = self._length, 0
        missing = length - len(frame.payload)
        if missing > len(rest):
            self._open = _PASSED
            self._missing = missing - len(rest)
        return FramePassedOver(
            length,
            self.max_payload,
            flags=frame.flags,
            options=frame.options,
            beginning=frame.payload,
            rest=rest[missing:],
        )

    def _close(self, frame: Frame, last: bytes) -> Frame:
        self._pieces.append(last)
        frame.payload = b"".join(self._pieces)
        self._open = None
        self._pieces = []
        self._size = self._missing = 0
        return frame
