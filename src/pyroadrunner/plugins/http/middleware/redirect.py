"""``http.ssl.redirect``: all that comes in plain is sent to HTTPS. It stands alone: nothing is behind it."""

from __future__ import annotations

import html
import re

from pyroadrunner.asgi import Receive, Scope, Send

_HTTPS_PORT = 443
_STATUS = 308  # keeps the method
_HSTS = b"max-age=31536000; includeSubDomains; preload"
# A name, an IPv4 address or an IPv6 one in brackets; then a port, which is that of plain HTTP and of no use.
_HOST = re.compile(rb"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


class Redirect:
    """Answers every request with the same place on the TLS port.

    Args:
        port: of HTTPS.
    """

    def __init__(self, port: int) -> None:
        self._port = b"" if port == _HTTPS_PORT else b":%d" % port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Status 308; 400 where the client named no host that could be gone to."""
        host = next((_HOST.fullmatch(value) for name, value in scope["headers"] if name == b"host"), None)
        if host is None:
            await _answer(send, 400, [], b"")
            return
        query: bytes = scope["query_string"]
        to = b"https://" + host[1] + self._port + scope["raw_path"] + (b"?" + query if query else b"")
        headers = [(b"location", to), (b"strict-transport-security", _HSTS)]
        body = b""
        if scope["method"] == "GET":
            headers.append((b"content-type", b"text/html; charset=utf-8"))
            body = f'<a href="{html.escape(to.decode("utf-8", "replace"))}">Permanent Redirect</a>.\n\n'.encode()
        await _answer(send, _STATUS, headers, body)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    except OSError:
        pass  # the client has gone
