"""Converts ASGI messages to the output of a CGI program (RFC 3875, section 6). Pure."""

from __future__ import annotations

from http import HTTPStatus

from pyroadrunner.asgi import Message

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_NOT_OURS = (b"connection", b"transfer-encoding", b"status")  # headers of the web server's own connection


def head(message: Message) -> bytes:
    """Encode ``http.response.start`` as the lines before the body."""
    status: int = message["status"]
    lines = [b"Status: %d %s" % (status, _REASONS.get(status, b"Unknown"))]
    lines += [name + b": " + value for name, value in message.get("headers", ()) if name.lower() not in _NOT_OURS]
    return b"\r\n".join(lines) + b"\r\n\r\n"
