"""Translates between gRPC-Web and gRPC, around the gRPC application."""

from __future__ import annotations

from collections.abc import Awaitable

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.grpcd import GrpcStatus, StatusCode
from pyroadrunner.plugins.grpc.web.config import GrpcWebConfig
from pyroadrunner.plugins.grpc.web.cors import Cors
from pyroadrunner.plugins.grpc.web.format import TextDecoder, WebType, encode_text, trailers_frame, web_type

_TRAILERS = "http.response.trailers"
_ASKS_FOR = b"access-control-request-method"
_ASKS_WITH = b"access-control-request-headers"


class GrpcWeb:
    """An ASGI application: gRPC-Web calls and their preflights are its own, all else is for ``app``.

    Args:
        app: serves gRPC.
        config: ``grpc.web``.
    """

    def __init__(self, app: ASGIApp, config: GrpcWebConfig) -> None:
        self._app = app
        self._cors = Cors(config)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if scope["method"] == "POST":
            for name, value in scope["headers"]:
                if name == b"content-type":
                    kind = web_type(value)
                    if kind is not None:
                        return self._translate(kind, scope, receive, send)
                    break
        elif scope["method"] == "OPTIONS":
            headers = dict(scope["headers"])
            if headers.get(_ASKS_FOR) and b"origin" in headers:
                return _no_content(send, self._cors.preflight(headers[b"origin"], headers.get(_ASKS_WITH, b"")))
        return self._app(scope, receive, send)

    def _translate(self, kind: WebType, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-type", b"te")]
        origin = next((value for name, value in headers if name == b"origin"), b"")
        headers += [(b"content-type", kind.grpc), (b"te", b"trailers")]
        # A browser on plain HTTP has HTTP/1.1, which is enough: the trailers are in the body.
        extensions = {**scope.get("extensions", {}), _TRAILERS: {}}
        inner: Scope = {**scope, "headers": headers, "http_version": "2", "extensions": extensions}
        response = _Response(send, kind, self._cors, origin)
        return self._app(inner, _decoded(receive) if kind.text else receive, response.send)


def _decoded(receive: Receive) -> Receive:
    """The body of a request, without its base64."""
    decoder = TextDecoder()

    async def decoded() -> Message:
        message = await receive()
        if message["type"] != "http.request":
            return message
        try:
            body = decoder.feed(message.get("body", b""))
            if not message.get("more_body"):
                decoder.check_end()
        except ValueError as wrong:
            raise GrpcStatus(StatusCode.INVALID_ARGUMENT, str(wrong)) from wrong
        return {**message, "body": body}

    return decoded


class _Response:
    """Sends the messages of a gRPC response as gRPC-Web."""

    __slots__ = ("_cors", "_held", "_kind", "_origin", "_send", "_trailers")

    def __init__(self, send: Send, kind: WebType, cors: Cors, origin: bytes) -> None:
        self._send = send
        self._kind = kind
        self._cors = cors
        self._origin = origin
        self._trailers = False
        self._held = b""  # the last part of the body: the trailers follow it

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            return self._start(message)
        if message["type"] == "http.response.body":
            return self._body(message.get("body", b""), more=message.get("more_body", False))
        if message["type"] == _TRAILERS:
            return self._write(self._held + trailers_frame(message["headers"]), more=False)
        return self._send(message)

    def _start(self, message: Message) -> Awaitable[None]:
        self._trailers = message.get("trailers", False)
        headers = [pair for pair in message["headers"] if pair[0] != b"content-type"]
        if self._origin:
            headers += self._cors.actual(self._origin, [name for name, _ in headers])
        headers.append((b"content-type", self._kind.own))
        return self._send({"type": "http.response.start", "status": message["status"], "headers": headers})

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._trailers and not more:
            self._held = body
        else:
            await self._write(body, more=more)

    def _write(self, body: bytes, *, more: bool) -> Awaitable[None]:
        data = encode_text(body) if self._kind.text else body
        return self._send({"type": "http.response.body", "body": data, "more_body": more})


async def _no_content(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    try:
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    except OSError:
        pass  # the client has left
