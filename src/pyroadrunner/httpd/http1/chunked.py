"""The chunked transfer coding of a request body (RFC 9112 section 7.1), strictly. Pure."""

from __future__ import annotations

import re

from pyroadrunner.httpd.http1.refusals import Refusal, bad_request

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_PARTIAL_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,15}(?:[ \t]*|[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)\r?")
_TRAILER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[^\x00-\x08\x0a-\x1f\x7f]*")
_NO_TRAILERS = (
    b"content-length",
    b"transfer-encoding",
    b"host",
)  # RFC 9110 section 6.5.1: they would change the framing
_MAX_LINE = 4096  # bytes of the line of a chunk's size, with its extensions
_MAX_TRAILERS = 1 << 16  # bytes
_MAX_EXTENSIONS = 1 << 16  # bytes of all extensions of one body: they are overhead without a limit otherwise
_SIZE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkedDecoder:
    """Decodes one body, piece by piece.

    Attributes:
        done: whether the body and its trailers are complete.
    """

    __slots__ = ("_buffer", "_extensions", "_left", "_state", "_trailers", "done")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0  # bytes of the current chunk
        self._buffer = b""  # an incomplete line
        self._extensions = 0
        self._trailers = 0
        self.done = False

    def __repr__(self) -> str:
        return f"ChunkedDecoder(done={self.done}, left={self._left})"

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Decode the next bytes.

        Returns:
            bytes of the body, and the bytes behind its end.

        Raises:
            Refusal: the coding is malformed.
        """
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._state == _DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            end = data.find(b"\n", at, at + _MAX_LINE)
            if end < 0:
                if size - at >= _MAX_LINE:
                    raise bad_request("chunk", "a line of the chunked body is too long")
                self._check_partial(data[at:])
                self._buffer = data[at:]
                break
            if end == at or data[end - 1] != 0x0D:
                raise bad_request("chunk", "a line of the chunked body ends with LF alone")
            self._line(data[at : end - 1])
            at = end + 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), data[at:] if self.done else b""

    def _check_partial(self, line: bytes) -> None:
        """Refuse at once what can't become a valid line."""
        if self._state == _DATA_END and line != b"\r":
            raise bad_request("chunk", "a chunk is longer than its size")
        if self._state == _SIZE and _PARTIAL_SIZE_LINE.fullmatch(line) is None:
            raise bad_request("chunk", "the size of a chunk is malformed")

    def _line(self, line: bytes) -> None:
        if self._state == _DATA_END:
            if line:
                raise bad_request("chunk", "a chunk is longer than its size")
            self._state = _SIZE
        elif self._state == _SIZE:
            found = _SIZE_LINE.fullmatch(line)
            if found is None:
                raise bad_request("chunk", "the size of a chunk is malformed")
            self._extensions += len(line) - len(found[1])
            if self._extensions > _MAX_EXTENSIONS:
                raise bad_request("chunk", "the extensions of the chunks are too long")
            self._left = int(found[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif not line:
            self._state = _DONE
            self.done = True
        else:
            self._trailers += len(line)
            if self._trailers > _MAX_TRAILERS:
                raise Refusal(431, "size", "the trailers of the body are too long")
            found = _TRAILER_LINE.fullmatch(line)
            if found is None or found[1].lower() in _NO_TRAILERS:
                raise bad_request("chunk", "a trailer line is malformed")
