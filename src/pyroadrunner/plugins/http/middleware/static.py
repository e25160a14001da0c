"""Serves files of a public folder without a worker. (http.md, section 5.2)

Other paths go to the workers. Octane configures exactly this, with the folder that contains ``index.php``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.content.compressible import varied
from pyroadrunner.content.file_answer import send_file
from pyroadrunner.content.negotiation import header
from pyroadrunner.content.open_files import OpenFile
from pyroadrunner.content.sniff import LOOKED_AT, sniff
from pyroadrunner.content.types import content_type
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.errors import HttpError
from pyroadrunner.plugins.http.middleware.etags import Etags
from pyroadrunner.plugins.http.middleware.headers import pairs
from pyroadrunner.plugins.http.middleware.precompressed import best_file, varies
from pyroadrunner.plugins.http.middleware.public import Extensions, PublicFolder, Refused
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

log = Log("http")

_METHODS = ("GET", "HEAD")


class StaticError(HttpError):
    """The folder of ``http.static`` does not exist."""


def build(setup: Setup) -> Around | None:
    """Make the layer from ``http.static``.

    Raises:
        StaticError: the folder does not exist.
    """
    config = setup.config.static
    if config is None:
        return None
    for key, message in config.absent():
        raise StaticError(f"http.static.{key}: {message}")
    folder = PublicFolder(config.dir, Extensions(config.allow, config.forbid), follow=config.follow_symlinks)
    etags = Etags(weak=config.weak) if config.calculate_etag else None
    headers = pairs(config.response)
    return lambda app: Static(app, folder, etags, headers, precompressed=config.precompressed)


class Static:
    """Serves files.

    Args:
        app: the application for all other requests.
        folder: the folder with the files.
        etags: makes ETags; ``None`` = send none.
        headers: added to each response with a file.
        precompressed: whether to send compressed copies of files.
    """

    def __init__(
        self,
        app: ASGIApp,
        folder: PublicFolder,
        etags: Etags | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        precompressed: bool = False,
    ) -> None:
        self._app = app
        self._folder = folder
        self._etags = etags
        self._precompressed = precompressed
        self._headers = [pair for pair in headers if pair[0] != b"content-type"]
        self._type = next((value for name, value in headers if name == b"content-type"), None)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] in _METHODS:
            try:
                file = self._folder.find(scope["raw_path"])
            except Refused:
                return _refuse(send)
            except OSError as wrong:
                log.error("static file can't be opened; passing the request to a worker", error=str(wrong))
            else:
                if file is not None:
                    return self._serve(scope, file, send)
        return self._app(scope, receive, send)

    async def _serve(self, scope: Scope, file: OpenFile, send: Send) -> None:
        try:
            kind = self._type or await type_of(file)
            headers = self._headers
            if self._precompressed and varies(kind):
                file, coding = best_file(file, header(scope["headers"], b"accept-encoding"))
                headers = varied(headers)
                if coding:
                    headers.append((b"content-encoding", coding.encode()))
            etag = await self._etags.of(file) if self._etags is not None else b""
            await send_file(scope, send, file, content_type=kind, etag=etag, headers=headers)
        except OSError as wrong:
            log.debug("static file was not sent completely", path=file.path, error=str(wrong))


async def type_of(file: OpenFile) -> bytes:
    """The content type, by the extension; if that is unknown, by the content."""
    kind = content_type(file.path, b"")
    if kind:
        return kind
    count = min(LOOKED_AT, file.size)
    beginning = file.read_now(count)
    return sniff(await file.read(0, count) if beginning is None else beginning)


async def _refuse(send: Send) -> None:
    try:
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
    except OSError:
        pass  # the client has disconnected
