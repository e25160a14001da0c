"""Send a file as an HTTP response: whole, in parts, or not at all if the client already has it.

If the server supports it (``http.response.zerocopysend``), it sends the bytes itself; otherwise they are read in a
thread. A small file in the page cache is read directly, which costs less than either. A large file is sent in pieces,
which tells a client that has stopped reading from a slow one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Protocol

from pyroadrunner.asgi import Scope, Send
from pyroadrunner.content.conditions import Outcome, evaluate, http_date, range_counts
from pyroadrunner.content.open_files import OpenFile
from pyroadrunner.content.ranges import Range, multipart, read_ranges

Headers = list[tuple[bytes, bytes]]

ZERO_COPY = "http.response.zerocopysend"
STALL_TIMEOUT = 300.0  # seconds that a client may take for one piece of a large file
_PIECE = 1 << 20  # bytes per zero-copy send
_CHUNK = 256 * 1024  # bytes per read in a thread
_SMALL = 32 * 1024  # bytes read on the loop
_OF_THE_BODY = (b"content-type", b"content-encoding", b"content-length", b"last-modified")


class Content(Protocol):
    """Bytes with random access: an :class:`OpenFile`, or content made from one."""

    @property
    def size(self) -> int: ...

    @property
    def modified(self) -> int:
        """Unix seconds."""

    async def read(self, offset: int, count: int) -> bytes:
        """Read ``count`` bytes; fewer only at the end."""


async def send_file(
    scope: Scope,
    send: Send,
    file: Content,
    *,
    content_type: bytes,
    etag: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
    ranges: bool = True,
) -> None:
    """Respond to a GET or HEAD with a file.

    Args:
        content_type: the value of ``Content-Type``.
        etag: of its bytes; empty = none.
        headers: more headers (``cache-control``, ``content-encoding``); also sent with a 304.
        ranges: whether the client may request parts.

    Raises:
        OSError: the client has disconnected or stopped reading, or the file can't be read.
    """
    asked = dict(scope["headers"])
    common: Headers = [*headers, (b"last-modified", http_date(file.modified))]
    if etag:
        common.append((b"etag", etag))
    outcome = evaluate(asked, etag, file.modified)
    if outcome is not Outcome.SEND:
        status = 304 if outcome is Outcome.NOT_MODIFIED else 412
        kept = [pair for pair in common if status == 304 or pair[0] not in _OF_THE_BODY]
        await _send_empty(send, status, kept)
        return
    parts = None
    if ranges:
        common.append((b"accept-ranges", b"bytes"))
        if scope["method"] == "GET" and range_counts(asked, etag, file.modified):
            parts = read_ranges(asked.get(b"range", b""), file.size)
    body = _Body(send, file, zero_copy=isinstance(file, OpenFile) and ZERO_COPY in scope.get("extensions", ()))
    if parts is None:
        await body.whole([(b"content-type", content_type), *common], head_only=scope["method"] == "HEAD")
    elif not parts:
        kept = [pair for pair in common if pair[0] not in _OF_THE_BODY]
        await _send_empty(send, 416, [*kept, (b"content-range", b"bytes */%d" % file.size)])
    elif len(parts) == 1:
        await body.part(parts[0], [(b"content-type", content_type), *common])
    else:
        await body.parts(parts, content_type, common)


async def send_whole(scope: Scope, send: Send, file: OpenFile, headers: Headers) -> None:
    """Respond with the whole file, ignoring conditions and ranges.

    Args:
        headers: all headers except the length.

    Raises:
        OSError: the client has disconnected, or the file can't be read.
    """
    body = _Body(send, file, zero_copy=ZERO_COPY in scope.get("extensions", ()))
    await body.whole(headers, head_only=scope["method"] == "HEAD")


async def _send_empty(send: Send, status: int, headers: Headers) -> None:
    length = [] if status == 304 else [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body"})


class _Body:
    """Sends a file's bytes."""

    def __init__(self, send: Send, file: Content, *, zero_copy: bool) -> None:
        self._send = send
        self._file = file
        self._zero_copy = zero_copy

    async def whole(self, headers: Headers, *, head_only: bool) -> None:
        size = self._file.size
        await self._start(200, headers, size)
        if head_only or not size:
            await self._send({"type": "http.response.body"})
        elif (data := self._cached(size)) is not None:
            await self._send({"type": "http.response.body", "body": data})
        else:
            await self._bytes(0, size, more=False)

    def _cached(self, size: int) -> bytes | None:
        return self._file.read_now(size) if size <= _SMALL and isinstance(self._file, OpenFile) else None

    async def part(self, part: Range, headers: Headers) -> None:
        await self._start(206, [*headers, (b"content-range", part.header(self._file.size))], part.length)
        await self._bytes(part.start, part.length, more=False)

    async def parts(self, parts: list[Range], content_type: bytes, headers: Headers) -> None:
        """``multipart/byteranges``, RFC 9110, section 14.6."""
        boundary = secrets.token_hex(16).encode()
        heads, end = multipart(parts, self._file.size, content_type, boundary)
        length = sum(map(len, heads)) + sum(part.length for part in parts) + len(end)
        kind = (b"content-type", b"multipart/byteranges; boundary=" + boundary)
        await self._start(206, [kind, *headers], length)
        for head, part in zip(heads, parts, strict=True):
            await self._send({"type": "http.response.body", "body": head, "more_body": True})
            await self._bytes(part.start, part.length, more=True)
        await self._send({"type": "http.response.body", "body": end})

    async def _start(self, status: int, headers: Headers, length: int) -> None:
        headers = [*headers, (b"content-length", b"%d" % length)]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _bytes(self, offset: int, count: int, *, more: bool) -> None:
        piece = _PIECE if self._zero_copy else _CHUNK
        if count <= piece:
            await self._piece(offset, count, more)
            return
        while count:
            size = min(count, piece)
            count -= size
            async with asyncio.timeout(STALL_TIMEOUT):
                await self._piece(offset, size, more or count > 0)
            offset += size

    async def _piece(self, offset: int, count: int, more: bool) -> None:
        if self._zero_copy:
            await self._send(
                {"type": ZERO_COPY, "file": self._file, "offset": offset, "count": count, "more_body": more}
            )
            return
        data = await self._file.read(offset, count)
        if len(data) < count:
            raise OSError("a file became shorter while it was sent")
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
