"""A message to clients, serialised once for all of them."""

from __future__ import annotations

import struct
import zlib

_TEXT = 0x81  # FIN and the opcode
_BINARY = 0x82
_COMPRESSED = 0x40  # RSV1, RFC 7692 section 6
_MIN_COMPRESSED = 256  # bytes; compressing less costs more than it saves
_TAIL = b"\x00\x00\xff\xff"
_PLAIN = 0
_LEVEL = 1  # half the time of zlib's default, for a few percent more bytes
_SHORT = struct.Struct("!BB").pack
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack


class OutMessage:
    """A message to any number of clients.

    Attributes:
        data: its payload.
        text: whether it is text; ``data`` must be valid UTF-8 then.
    """

    __slots__ = ("_frames", "data", "text")

    def __init__(self, data: bytes, *, text: bool) -> None:
        self.data = data
        self.text = text
        self._frames: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"OutMessage({'text' if self.text else 'binary'}, {len(self.data)} bytes)"

    def frame(self, window_bits: int = _PLAIN) -> bytes:
        """The message as one frame of a server.

        Args:
            window_bits: of permessage-deflate without context takeover; 0 = not compressed.
        """
        if len(self.data) < _MIN_COMPRESSED:
            window_bits = _PLAIN
        frame = self._frames.get(window_bits)
        if frame is None:
            frame = self._frames[window_bits] = self._serialise(window_bits)
        return frame

    def _serialise(self, window_bits: int) -> bytes:
        first = _TEXT if self.text else _BINARY
        data = self.data
        if window_bits:
            compressor = zlib.compressobj(_LEVEL, wbits=-window_bits)
            compressed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
            if len(compressed) - len(_TAIL) < len(data):
                data = compressed[: -len(_TAIL)]
                first |= _COMPRESSED
        size = len(data)
        if size < 126:
            return _SHORT(first, size) + data
        return (_MEDIUM(first, 126, size) if size < 1 << 16 else _LONG(first, 127, size)) + data
