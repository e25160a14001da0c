"""The ASGI application: answers GET and HEAD with a file of the first matching prefix, or 404."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.content.file_answer import send_file
from pyroadrunner.content.negotiation import header
from pyroadrunner.content.open_files import OpenFile
from pyroadrunner.log import Log
from pyroadrunner.plugins.fileserver.mount import Found, Mount

log = Log("fileserver")

_TEXT = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
_METHODS = ("GET", "HEAD")
_BODY = 64 * 1024  # bytes


class _Answer(NamedTuple):
    """A file, its mount, and the ETag of the sent content; empty = none."""

    mount: Mount
    found: Found
    etag: bytes


class FileServer:
    """Serves files.

    Args:
        mounts: the first one that has the file serves it.
        etag: whether to send ETags.
        weak: whether ETags are weak, made without reading the files.
    """

    def __init__(self, mounts: Sequence[Mount], *, etag: bool, weak: bool) -> None:
        self._mounts = mounts
        self._etag = etag
        self._weak = weak

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "websocket":
            await receive()  # websocket.connect
            await send({"type": "websocket.close"})
        elif kind == "http":
            await self._answer(scope, receive, send)
        else:
            raise NotImplementedError(kind)  # in ASGI this means that lifespan is not supported

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method not in _METHODS:
            await _read_a_little(receive)
            await _say(scope, send, 405, b"Method Not Allowed", [(b"allow", b"GET, HEAD")])
            return
        try:
            answer = await self._find(scope)
        except OSError as error:
            log.error("a file can't be read", path=scope["path"], error=str(error))
            await _say(scope, send, 500, b"Internal Server Error")
            return
        if answer is None:
            text = html.escape(f"Cannot {method} {scope['raw_path'].decode('latin-1')}")
            await _say(scope, send, 404, text.encode("latin-1"))
        elif answer.found.file.index and not scope["path"].endswith("/"):
            await _to_folder(scope, send)
        else:
            await _send(scope, send, answer)

    async def _find(self, scope: Scope) -> _Answer | None:
        accepted = header(scope["headers"], b"accept-encoding")
        for mount in self._mounts:
            found = await mount.find(scope["path"], accepted)
            if found is not None:
                return _Answer(mount, found, await self._etag_of(mount, found) if self._etag else b"")
        return None

    async def _etag_of(self, mount: Mount, found: Found) -> bytes:
        """The ETag. Strong: size and checksum; weak: size and time. For content encoded here it also contains the
        coding."""
        file = found.content if isinstance(found.content, OpenFile) else found.file
        state = f"{file.identity[3]:x}" if self._weak else str(await mount.checksum(file))
        if file is not found.content:
            return f'W/"{file.size}-{state}-{found.coding}"'.encode()
        return f'{"W/" if self._weak else ""}"{file.size}-{state}"'.encode()


async def _read_a_little(receive: Receive) -> None:
    """Read the begin of an unused request body. Some HTTP/2 clients take a response before its end as an error."""
    read = 0
    more = True
    while more and read < _BODY:
        message = await receive()
        read += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _send(scope: Scope, send: Send, answer: _Answer) -> None:
    mount, found, etag = answer
    headers = [*mount.headers]
    if found.varies:
        headers.append((b"vary", b"Accept-Encoding"))
    if found.coding:
        headers.append((b"content-encoding", found.coding.encode()))
    try:
        await send_file(
            scope,
            send,
            found.content,
            content_type=found.content_type,
            etag=etag,
            headers=headers,
            # Encoding again may give different bytes, so clients must not combine parts: no ranges.
            ranges=mount.config.bytes_range and isinstance(found.content, OpenFile),
        )
    except OSError as error:  # mostly a disconnected client; returning without the end closes the connection
        log.debug("a file was not sent completely", path=scope["path"], error=str(error))


async def _to_folder(scope: Scope, send: Send) -> None:
    """Redirect to the path with a slash at the end, so that relative links in an index work. Keep one leading slash:
    two would name another host."""
    target = b"/" + scope["raw_path"].strip(b"/") + b"/"
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    await _say(scope, send, 302, b"Found", [(b"location", target)])


async def _say(
    scope: Scope, send: Send, status: int, text: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    length = (b"content-length", b"%d" % len(text))
    await send({"type": "http.response.start", "status": status, "headers": [*_TEXT, *(headers or []), length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})
