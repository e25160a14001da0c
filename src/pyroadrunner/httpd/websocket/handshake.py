"""The opening handshake of RFC 6455, and the negotiation of permessage-deflate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeaderValue,
    InvalidMethod,
    InvalidProtocol,
    InvalidUpgrade,
)
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol

from pyroadrunner.asgi import Scope
from pyroadrunner.httpd.websocket.contract import Refused

# A compressor per client takes 256 KB, and a decompressor 40 KB: without context takeover neither is kept, and a
# message to many clients is compressed once.
_DEFLATE = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
_PLAIN_TEXT = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Opening:
    """What a valid handshake has asked for.

    Attributes:
        accept: value of ``Sec-WebSocket-Accept``.
        extension_header: value of ``Sec-WebSocket-Extensions``; empty = none was accepted.
        extensions: of the connection.
    """

    accept: bytes
    extension_header: bytes
    extensions: list[Extension]


def is_handshake(scope: Scope) -> bool:
    """Whether an HTTP request asks for WebSocket."""
    return any(name == b"upgrade" and value.strip().lower() == b"websocket" for name, value in scope["headers"])


def subprotocols(pairs: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """The subprotocols that a client offers, in its order."""
    values = [value for name, value in pairs if name == b"sec-websocket-protocol"]
    return [one.strip() for value in values for one in value.decode("latin-1").split(",") if one.strip()]


def open_handshake(scope: Scope, *, compression: bool) -> Opening | Refused:
    """Check the handshake of an HTTP/1.1 request.

    Args:
        compression: whether permessage-deflate is accepted.
    """
    protocol = ServerProtocol(extensions=[_DEFLATE] if compression else None)
    headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
    request = Request("/", headers, method=scope["method"], protocol=f"HTTP/{scope['http_version']}")
    try:
        accept, extension_header, _ = protocol.process_request(request)
    except InvalidMethod:
        return _refused(405, "a WebSocket handshake is a GET request", (b"allow", b"GET"))
    except (InvalidUpgrade, InvalidProtocol) as wrong:
        return _refused(426, str(wrong), (b"upgrade", b"websocket"))
    except InvalidHeaderValue as wrong:
        if wrong.name.lower() == "sec-websocket-version":
            return _refused(426, str(wrong), (b"sec-websocket-version", b"13"))
        return _refused(400, str(wrong))
    except InvalidHandshake as wrong:
        return _refused(400, str(wrong))
    return Opening(accept.encode(), (extension_header or "").encode(), protocol.extensions)


def _refused(status: int, why: str, *headers: tuple[bytes, bytes]) -> Refused:
    return Refused(status=status, body=f"{why}\n".encode(), headers=[_PLAIN_TEXT, *headers])
