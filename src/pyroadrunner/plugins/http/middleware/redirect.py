"""``http.ssl.redirect``: redirects all plain HTTP requests to HTTPS. It wraps no other application."""

from __future__ import annotations

import html
import re

from pyroadrunner.asgi import Receive, Scope, Send

_HTTPS_PORT = 443
_STATUS = 308  # keeps the method
_HSTS = b"max-age=31536000; includeSubDomains; preload"
# A name, an IPv4 address, or an IPv6 address in brackets, then an optional port. That port is for plain HTTP and
# unused.
_HOST = re.compile(rb"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


class Redirect:
    """Redirects every request to the same URL on the TLS port.

    Args:
        port: of HTTPS.
    """

    def __init__(self, port: int) -> None:
        self._port = b"" if port == _HTTPS_PORT else b":%d" % port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send status 308, or 400 if the request has no valid host."""
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
        pass  # the client has disconnected
