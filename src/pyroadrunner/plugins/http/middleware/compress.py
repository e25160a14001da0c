"""Compresses responses with an encoding the client accepts: zstd, br, gzip. The middleware ``gzip`` of RoadRunner.

A complete response is compressed as a whole, and only if it becomes smaller. A stream is compressed and flushed chunk
by chunk, so that no line is held back. Large bodies are compressed in a thread.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.content.codings import Coding, Encoder, available
from pyroadrunner.content.compressible import Rules, encoded, varied
from pyroadrunner.content.file_answer import ZERO_COPY
from pyroadrunner.content.negotiation import choose, header
from pyroadrunner.content.open_files import OpenFiles
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.config import GzipConfig
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

log = Log("http")

_LARGE = 64 * 1024  # bytes; compressing them takes 0.5 to 2 ms. More would block other requests too long, for less a
#                     thread costs more than it saves
_FILE_CHUNK = 256 * 1024


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


def build(setup: Setup) -> Around:
    """Make the layer from ``http.gzip``."""
    config = setup.config.gzip
    codings = available(config.encodings, config.level)
    missing = [name for name in config.encodings if name not in codings]
    if missing:
        tell = log.debug if config.encodings == GzipConfig().encodings else log.warning  # default: not set by the user
        tell("codings without their library are not offered; pip install 'pyroadrunner[compress]'", codings=missing)
    rules = Rules(config.min_length, config.exclude_types)
    return lambda app: Compress(app, codings, rules)


class Compress:
    """Compresses the responses of ``app``.

    Args:
        app: the application.
        codings: the available encodings, the preferred one first.
        rules: which responses are compressed.
    """

    def __init__(self, app: ASGIApp, codings: Mapping[str, Coding], rules: Rules) -> None:
        self._app = app
        self._codings = codings
        self._offered = tuple(codings)
        self._rules = rules

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        name = choose(header(scope["headers"], b"accept-encoding"), self._offered)
        coding = self._codings[name] if name is not None and scope["method"] != "HEAD" else None
        return self._app(scope, receive, _Answer(send, coding, self._rules))


class _Answer:
    """One response. Called as ``send``.

    If a response has a length, its head waits for the first piece of the body, which shows whether it is a stream. A
    head without a length is sent immediately, because the first piece of a stream may take long.
    """

    __slots__ = ("_coding", "_encoder", "_held", "_passing", "_rules", "_send")

    def __init__(self, send: Send, coding: Coding | None, rules: Rules) -> None:
        self._send = send
        self._coding = coding
        self._rules = rules
        self._passing = False
        self._held: Message | None = None
        self._encoder: Encoder | None = None

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if self._passing:
            await self._send(message)
        elif kind == "http.response.start":
            await self._start(message)
        elif kind == "http.response.body":
            await self._body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.pathsend":
            await self._named_file(message["path"])
        elif kind == ZERO_COPY:
            await self._file(message["file"], *_extent(message), more=message.get("more_body", False))
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = list(message.get("headers", ()))  # third-party middleware may pass any iterable, or none
        message = {**message, "headers": headers}
        length = self._rules.length(message["status"], headers) if self._coding is not None else None
        if length is None:
            self._passing = True
            await self._send({**message, "headers": varied(headers)})
        elif length < 0:
            await self._begin(message, None)
        else:
            self._held = message

    async def _begin(self, start: Message, length: int | None) -> Coding:
        """Send the head of a compressed response: as a stream, unless the compressed ``length`` is known."""
        assert self._coding is not None
        self._held = None
        if length is None:
            self._encoder = self._coding.stream()
        await self._send({**start, "headers": encoded(start["headers"], self._coding.name, length)})
        return self._coding

    async def _body(self, data: bytes, more: bool) -> None:
        if self._held is not None and not more:
            await self._whole(self._held, data)
            return
        if self._held is not None:
            await self._begin(self._held, None)
        assert self._encoder is not None
        if not more:
            data = await _off_loop_if_large(self._encoder.end, data)
        elif data:
            data = await _off_loop_if_large(self._encoder.chunk, data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _whole(self, start: Message, data: bytes) -> None:
        assert self._coding is not None
        smaller = await _off_loop_if_large(self._coding.whole, data)
        self._held = None
        self._passing = True
        if len(smaller) < len(data):
            await self._begin(start, len(smaller))
            data = smaller
        else:
            await self._send({**start, "headers": varied(start["headers"])})
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def _named_file(self, path: str) -> None:
        """A whole file that the server would have opened and sent itself."""
        file = await OpenFiles(0).open(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "not a readable file", path)
        await self._file(file, 0, file.size, more=False)

    async def _file(self, file: _HasFileno, offset: int, count: int, *, more: bool) -> None:
        """A part of an open file that the server would have sent itself: read, compress and send it in pieces."""
        if self._held is not None:
            await self._begin(self._held, None)
        assert self._encoder is not None
        while count > 0:
            data, read = await asyncio.to_thread(_next_piece, file, offset, min(count, _FILE_CHUNK), self._encoder)
            if not read:
                raise OSError("the file became shorter while it was being sent")
            offset += read
            count -= read
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        if not more:
            await self._send({"type": "http.response.body", "body": self._encoder.end(b""), "more_body": False})


async def _off_loop_if_large(encode: Callable[[bytes], bytes], data: bytes) -> bytes:
    if len(data) > _LARGE:
        return await asyncio.to_thread(encode, data)
    return encode(data)


def _next_piece(file: _HasFileno, offset: int, count: int, encoder: Encoder) -> tuple[bytes, int]:
    data = os.pread(file.fileno(), count, offset)
    return encoder.chunk(data), len(data)


def _extent(message: Message) -> tuple[int, int]:
    """Offset and number of bytes of a zero-copy message."""
    fd = message["file"].fileno()
    offset = message["offset"] if "offset" in message else os.lseek(fd, 0, os.SEEK_CUR)
    return offset, message["count"] if "count" in message else os.fstat(fd).st_size - offset
