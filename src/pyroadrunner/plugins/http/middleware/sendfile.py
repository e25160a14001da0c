"""``X-Sendfile``: a worker names a file and is free while the server sends it. (http.md, section 5.4)

Responses without that header pass through unchanged, including streams.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from pyroadrunner.asgi import INFORMATIONAL, ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.content.file_answer import send_whole
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.middleware.public import open_file
from pyroadrunner.plugins.http.middleware.registry import Around, Setup
from pyroadrunner.plugins.http.middleware.static import type_of

log = Log("http")

_HEADER = b"x-sendfile"
_REPLACED = (_HEADER, b"content-length", b"trailer")
_TEXT = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]

Pairs = list[tuple[bytes, bytes]]


def build(setup: Setup) -> Around:
    """Make the layer; it has no options."""
    return SendFile


class SendFile:
    """Sends the files that ``app`` names."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        await self._app(scope, receive, answer)
        if answer.path:
            # Only now: before its end, a streaming worker would be held until the file is sent.
            try:
                await _send_named(scope, send, answer.path, answer.headers)
            except OSError as wrong:
                log.debug("file was not sent completely", path=os.fsdecode(answer.path), error=str(wrong))


class _Answer:
    """One response. Called as ``send``.

    Attributes:
        path: the file it names; empty = none.
        headers: the headers to send with the file.
    """

    __slots__ = ("_send", "headers", "path")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.path = b""
        self.headers: Pairs = []

    async def __call__(self, message: Message) -> None:
        if self.path:
            return  # the worker's body is ignored
        if message["type"] == "http.response.start":
            headers: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
            self.path = next((value for name, value in headers if name == _HEADER), b"")
            if self.path:
                self.headers = [pair for pair in headers if pair[0] not in _REPLACED]
                return
        elif message["type"] == INFORMATIONAL:
            message = {**message, "headers": [pair for pair in message["headers"] if pair[0] != _HEADER]}
        await self._send(message)


async def _send_named(scope: Scope, send: Send, path: bytes, headers: Pairs) -> None:
    """Respond with the file at a path.

    Raises:
        OSError: the client has disconnected, or the file became shorter.
    """
    if b".." in path.split(b"/"):
        await _refuse(send, 403, headers, b"")
        return
    try:
        file = open_file(path)
        kind = [] if any(name == b"content-type" for name, _ in headers) else [(b"content-type", await type_of(file))]
    except (FileNotFoundError, NotADirectoryError, ValueError):
        await _refuse(send, 404, headers, b"not found\n")
    except OSError as wrong:
        log.error("file of X-Sendfile can't be sent", path=os.fsdecode(path), error=wrong.strerror or str(wrong))
        await _refuse(send, 500, headers, f"{wrong.strerror or wrong}\n".encode())
    else:
        await send_whole(scope, send, file, [*headers, *kind])


async def _refuse(send: Send, status: int, headers: Pairs, text: bytes) -> None:
    kept = [pair for pair in headers if not pair[0].startswith(b"content-")]
    described = _TEXT if text else []
    kept += [*described, (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": text})
