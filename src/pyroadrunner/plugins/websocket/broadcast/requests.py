"""What workers are asked: an HTTP request with an attribute that says what a client wants. Pure.

The context is that of RoadRunner 2.12 (websockets, validator/access_validator.go): the request of the handshake,
always in JSON and without a body.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import msgspec

from pyroadrunner.asgi import Scope
from pyroadrunner.plugins.websocket.errors import BadMessage

JOIN_SERVER = "ws:joinServer"
JOIN_TOPICS = "ws:joinTopics"

_PROTOCOLS = {"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0"}
_SCHEMES = {"ws": "http", "wss": "https"}
_NO_ADDRESS = "127.0.0.1"  # of a client of a unix socket
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, kw_only=True):
    """The context of a reply. PHP encodes an empty map as ``[]``."""

    status: int = 0
    headers: dict[str, list[str] | str] | list[Any] = {}


_decode = msgspec.json.Decoder(Answer).decode


class WorkerRequest:
    """The request of a handshake, for any number of questions."""

    __slots__ = ("_common",)

    def __init__(self, scope: Scope) -> None:
        headers: dict[str, list[str]] = {}
        host = ""
        for name, value in scope["headers"]:
            text = value.decode("utf-8", "replace")
            if name == b"host":
                host = text
            else:
                canonical = "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))
                headers.setdefault(canonical, []).append(text)
        query = scope["query_string"].decode("utf-8", "replace")
        path = scope["raw_path"].decode("utf-8", "replace")
        client = scope.get("client")
        scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
        self._common = {
            "remoteAddr": client[0] if client else _NO_ADDRESS,
            "protocol": _PROTOCOLS.get(scope["http_version"], "HTTP/1.1"),
            "method": "GET",
            "uri": f"{scheme}://{host}{path}{'?' if query else ''}{query}",
            "headers": headers,
            "cookies": _cookies(headers.get("Cookie", [])),
            "rawQuery": query,
            "parsed": False,
        }

    def context(self, attribute: str, value: str | bool) -> bytes:
        """The context of a question."""
        return _encode({**self._common, "attributes": {attribute: value}})


def read_answer(context: bytes) -> Answer:
    """Decode the context of a reply.

    Raises:
        BadMessage: it is no such JSON.
    """
    try:
        return _decode(context)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BadMessage(f"the reply of the worker is malformed: {wrong}") from wrong


def _cookies(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in "; ".join(lines).split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name:
            found[name] = unquote_plus(value.strip('"'))
    return found
