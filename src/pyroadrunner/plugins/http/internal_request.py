"""Requests of the server itself: an ASGI call without a connection. Pure."""

from __future__ import annotations

from urllib.parse import unquote

from pyroadrunner.asgi import ATTRIBUTES, ASGIApp, Message, Scope
from pyroadrunner.contracts import AppRequest, AppResponse

_KEPT = 64 * 1024  # bytes of a body
_HOST = b"localhost"


async def respond(app: ASGIApp, request: AppRequest) -> AppResponse:
    """Call the application and collect its response."""
    status, headers, body, complete = 500, [], bytearray(), False

    async def receive() -> Message:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers, complete
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b"")[: _KEPT - len(body)])
            complete = not message.get("more_body", False)

    await app(scope_of(request), receive, send)
    return AppResponse(status=status, headers=headers, body=bytes(body), complete=complete)


def scope_of(request: AppRequest) -> Scope:
    """The scope of a request, as a listener makes it."""
    path, _, query = request.path.partition("?")
    headers = [(name.lower(), value) for name, value in request.headers]
    names = {name for name, _ in headers}
    if b"host" not in names:
        headers.insert(0, (b"host", _HOST))
    if request.body and b"content-length" not in names:
        headers.append((b"content-length", b"%d" % len(request.body)))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
        "extensions": {},
        ATTRIBUTES: dict(request.attributes),
    }
