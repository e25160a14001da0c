"""A client that writes HTTP/2 frames as the test says (RFC 9113), correct or not. Header blocks are built without
Huffman coding."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 0x4, 0x6  # settings
CANCEL, ENHANCE_YOUR_CALM = 0x8, 0xB  # error codes
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIRST_OF_THE_DYNAMIC_TABLE = b"\xbe"  # index 62: the newest entry
_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # of the static table (RFC 7541, appendix A)


class Frame(NamedTuple):
    """A frame of the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def error(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        offset = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[offset : offset + 4], "big")

    @property
    def status(self) -> int:
        """The status of HEADERS. It is the first field: an entry of the static table, or three literal digits."""
        block = self.payload[1:] if self.payload[0] & 0xE0 == 0x20 else self.payload  # a new size of the table
        if block[0] & 0x80:
            return _STATUS[block[0] & 0x7F]
        return int(block[2:5])


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def integer(value: int, bits: int, mark: int) -> bytes:
    """An integer with a prefix of so many bits (RFC 7541, section 5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([mark | value])
    out = bytearray([mark | limit])
    value -= limit
    while value >= 128:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(name: str, value: str, *, index: bool = False) -> bytes:
    """A literal header field; with ``index``, the server also puts it into its table."""
    text = b"\x40" if index else b"\x00"
    for part in (name.encode(), value.encode()):
        text += integer(len(part), 7, 0) + part
    return text


def get(path: str = "/", *fields: bytes, scheme: str = "http", method: str = "GET") -> bytes:
    """The header block of a request."""
    head = (field(":method", method), field(":scheme", scheme), field(":authority", "ex.com"), field(":path", path))
    return b"".join((*head, *fields))


def headers(stream: int, block: bytes, *, end: bool = True, size: int = 16_000) -> bytes:
    """HEADERS and, for a long block, CONTINUATION frames."""
    parts = [block[i : i + size] for i in range(0, len(block), size)] or [b""]
    sent = b""
    for i, part in enumerate(parts):
        flags = (END_STREAM if end and not i else 0) | (END_HEADERS if i == len(parts) - 1 else 0)
        sent += frame(CONTINUATION if i else HEADERS, flags, stream, part)
    return sent


def reset(stream: int, error: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream, error.to_bytes(4, "big"))


def window(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def settings(**values: int) -> bytes:
    """A SETTINGS frame; the names are those of the constants above, in lower case."""
    known = {"initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", known[name], value) for name, value in values.items()))


class Http2:
    """One connection.

    Args:
        tls: for HTTPS; it must offer ``h2``.
        receive_bytes: size of the socket's receive buffer, for a client that does not read.
    """

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        *,
        opening: bytes = frame(SETTINGS),
        receive_bytes: int = 0,
        timeout: float = 20.0,
    ) -> None:
        raw = socket.socket()
        raw.settimeout(timeout)
        if receive_bytes:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        raw.connect(address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(raw, server_hostname="localhost") if tls is not None else raw
        self.scheme = "https" if tls is not None else "http"
        self._read = b""
        self.send(PREFACE + opening)

    def __enter__(self) -> Http2:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, stream: int, path: str = "/", *fields: bytes, method: str = "GET", end: bool = True) -> None:
        self.send(headers(stream, get(path, *fields, scheme=self.scheme, method=method), end=end))

    def frames(self) -> Iterator[Frame]:
        """The frames of the server until it closes the connection."""
        while True:
            while len(self._read) < 9 or len(self._read) < 9 + int.from_bytes(self._read[:3], "big"):
                try:
                    more = self.socket.recv(1 << 16)
                except (ConnectionError, ssl.SSLError):
                    more = b""
                if not more:
                    return
                self._read += more
            size = int.from_bytes(self._read[:3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", self._read, 3)
            payload, self._read = self._read[9 : 9 + size], self._read[9 + size :]
            yield Frame(kind, flags, stream, payload)

    def until(self, kinds: Iterable[int], stream: int | None = None) -> Frame | None:
        """The next frame of one of these kinds (of this stream); ``None`` if the server closed the connection."""
        for one in self.frames():
            if one.kind in kinds and stream in (None, one.stream):
                return one
        return None

    def status(self, stream: int) -> int:
        """The status of the response on a stream.

        Raises:
            ConnectionError: the server reset the stream or ended the connection.
        """
        got = self.until((HEADERS, RST_STREAM, GOAWAY), stream)
        if got is None or got.kind != HEADERS:
            raise ConnectionError(got)
        return got.status
