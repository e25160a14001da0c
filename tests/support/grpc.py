"""Calls a gRPC application without a connection."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from pyroadrunner.asgi import ASGIApp


async def answer_of(app: ASGIApp, path: str, message: bytes) -> tuple[int, str, bytes | None]:
    """Send one message; return the code and the text of the status, and the message of the answer."""
    sent: list[dict[str, Any]] = []
    body = b"\0" + len(message).to_bytes(4, "big") + message

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(dict(event))

    scope = {
        "type": "http",
        "http_version": "2",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"host", b"test")],
        "client": ("127.0.0.1", 5),
        "extensions": {"http.response.trailers": {}},
    }
    await app(scope, receive, send)
    fields = {name: value for event in sent for name, value in event.get("headers", ())}
    data = b"".join(event.get("body", b"") for event in sent)
    text = unquote(fields.get(b"grpc-message", b"").decode())
    return int(fields[b"grpc-status"]), text, data[5:] if data else None
