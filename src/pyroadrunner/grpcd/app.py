"""gRPC as an ASGI application, for servers that send trailers (``httpd.engine``).

A call with one message takes the short way: its body is read, its handler is awaited, three messages are sent. Streams
in both directions take the way of ``_StreamCall``. One table of methods decides; everything else is UNIMPLEMENTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

from pyroadrunner.asgi import STOPPED, Message, Receive, Scope, Send
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.grpcd.call import Method, Observer, Pairs, Request, Response
from pyroadrunner.grpcd.deadlines import PASSED, Deadlines
from pyroadrunner.grpcd.message import ENCODINGS, PREFIX, MessageReader, frame, too_large
from pyroadrunner.grpcd.metadata import encode_bin, encode_message
from pyroadrunner.grpcd.status import GrpcStatus, StatusCode
from pyroadrunner.grpcd.timeout import parse_timeout
from pyroadrunner.log import Log

_CONTENT_TYPE = (b"content-type", b"application/grpc")
_NO_TRAILERS = "the request has no header `te: trailers`, so its response can't carry a status"
_TRAILERS = "http.response.trailers"
_START: Message = {"type": "http.response.start", "status": 200, "headers": [_CONTENT_TYPE], "trailers": True}
_OK: Message = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}
_MAX_TEXT = 4096  # characters of a status message on the wire; clients refuse long lists of headers

log = Log("grpc")


class GrpcApp:
    """Serves methods.

    Args:
        methods: by path.
        max_receive, max_send: bytes of a message.
        observer: sees the calls of known methods.
        unknown: makes the status of a path without a method.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        *,
        max_receive: int,
        max_send: int,
        observer: Observer | None = None,
        unknown: Callable[[str], GrpcStatus] | None = None,
    ) -> None:
        self._methods = {path.encode(): method for path, method in methods.items()}
        # A path without its slash is served, as grpc-go does.
        self._methods |= {path.removeprefix(b"/"): method for path, method in self._methods.items()}
        self._max_receive = max_receive
        self._max_send = max_send
        self._observer = observer
        self._unknown = unknown or unknown_method
        self._deadlines = Deadlines()

    def __repr__(self) -> str:
        return f"GrpcApp({len(self._methods) // 2} methods)"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            return
        headers: Pairs = scope["headers"]
        found = dict(headers)
        content_type = found.get(b"content-type", b"")
        if scope["method"] != "POST" or not _is_grpc(content_type):
            await _refuse_http(scope, content_type, send)
            return
        if scope["http_version"] == "1.1":
            await _send_http(send, 505, b"gRPC needs HTTP/2\n")
            return
        method = self._methods.get(scope["raw_path"])
        if method is None:
            unknown = self._unknown(scope["raw_path"].decode("utf-8", "replace"))
            await _Call(send, content_type, b"identity", 0).fail(unknown)
            return
        if _TRAILERS not in scope["extensions"]:
            await _send_without_trailers(send, GrpcStatus(StatusCode.INTERNAL, _NO_TRAILERS))
            return
        observer = self._observer
        began = monotonic()
        if observer is not None:
            observer.began()
        code, text = int(StatusCode.CANCELLED), "the client has cancelled the call"
        task: asyncio.Task[None] | None = None
        call = _Call(send, content_type, found.get(b"grpc-encoding", b"identity"), self._max_send)
        try:
            timeout: float | None = None
            if b"grpc-timeout" in found:
                timeout = _timeout(found[b"grpc-timeout"])
                if not timeout:
                    raise _deadline_exceeded()
                task = asyncio.current_task()
                assert task is not None
                self._deadlines.add(task, timeout)
            if call.encoding not in ENCODINGS:
                raise _unknown_encoding(call.encoding)
            if method.handler is None:
                assert method.stream_handler is not None
                stream = _StreamCall(receive, call, MessageReader(self._max_receive, call.encoding))
                await method.stream_handler(stream)
                await call.finish(Response())
                code, text = 0, ""
            else:
                message = await receive()
                body: bytes = message.get("body", b"")
                whole = len(body) >= PREFIX and not body[0] and _is_whole(body)
                if whole and message.get("more_body"):  # the engine tells the end of a request by itself
                    if not method.client_streaming:
                        message = await receive()
                        whole = not message.get("body") and not message.get("more_body")
                        body += message.get("body", b"")
                    if message["type"] == "http.disconnect":
                        raise _ClientLeft
                if not whole:
                    request = await self._read(body, message, receive, call.encoding, method)
                elif len(body) - PREFIX > self._max_receive:
                    raise too_large("received", len(body) - PREFIX, self._max_receive)
                else:
                    request = body[PREFIX:]
                client = scope.get("client")
                response = await method.handler(
                    Request(
                        method.path,
                        request,
                        headers,
                        peer=client and (client[0], client[1]),
                        authority=found.get(b":authority", found.get(b"host", b"")).decode("utf-8", "replace"),
                        tls=scope["scheme"] == "https",
                        timeout=timeout,
                    )
                )
                await call.answer(response)
                code, text = int(response.code), response.text
        except GrpcStatus as status:
            code, text = status.code, status.message
            await call.fail(status)
        except asyncio.CancelledError as cancelled:
            if PASSED in cancelled.args:
                assert task is not None
                task.uncancel()
                passed = _deadline_exceeded()
                code, text = passed.code, passed.message
                await call.fail(passed)
            else:
                if STOPPED in cancelled.args:
                    code, text = int(StatusCode.UNAVAILABLE), "the server stops"
                    await call.fail(GrpcStatus(code, text))
                raise
        except _ClientLeft:
            pass
        except OSError as error:  # the server raises it if the client has left
            log.debug("write response error", method=method.path, error=str(error))
        except (RoadRunnerError, ValueError) as error:
            code, text = int(StatusCode.UNKNOWN), str(error)
            await call.fail(GrpcStatus(code, text))
        except Exception as error:  # an interceptor's; the others calls stay alive
            code, text = int(StatusCode.UNKNOWN), f"{type(error).__name__}: {error}"
            log.error("a handler failed", method=method.path, error=text)
            await call.fail(GrpcStatus(code, text))
        finally:
            if task is not None:
                self._deadlines.discard(task)
            if observer is not None:
                observer.ended(method.path, code, text, monotonic() - began)

    async def _read(self, body: bytes, message: Message, receive: Receive, encoding: bytes, method: Method) -> bytes:
        """The only message of a request that did not arrive in one piece, is compressed, or is not right."""
        reader = MessageReader(self._max_receive, encoding)
        first: bytes | None = None
        while True:
            reader.feed(body)
            while (one := reader.next()) is not None:
                if first is not None:
                    raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent more than one message")
                first = one
            if first is not None and method.client_streaming:
                return first
            if not message.get("more_body"):
                break
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            body = message.get("body", b"")
        reader.check_end()
        if first is None:
            raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent no message")
        return first


class _ClientLeft(Exception):
    """The client has left in the middle of its request."""


class _Call:
    """The sending side of one call.

    Attributes:
        encoding: of the request, and so of the response.
        started: whether the headers were sent.
    """

    __slots__ = ("_content_type", "_limit", "_send", "encoding", "started")

    def __init__(self, send: Send, content_type: bytes, encoding: bytes, limit: int) -> None:
        self._send = send
        self._content_type = content_type
        self._limit = limit
        self.encoding = encoding
        self.started = False

    async def answer(self, response: Response) -> None:
        """Send a whole response."""
        message = response.message
        if response.stream is not None:
            await self._answer_with_stream(response)
            return
        if message is None:
            await self.finish(response)
            return
        if len(message) > self._limit:
            raise too_large("trying to send", len(message), self._limit)
        send = self._send
        if self.encoding == b"gzip" and message:
            await self.start(response.headers)
            body = frame(message, compress=True)
        else:
            if response.headers is None and len(self._content_type) == 16 and self.encoding == b"identity":
                self.started = True
                await send(_START)
            else:
                await self.start(response.headers)
            body = b"\0" + len(message).to_bytes(4, "big") + message
        await send({"type": "http.response.body", "body": body})
        await send(_trailers(response))

    async def _answer_with_stream(self, response: Response) -> None:
        assert response.stream is not None
        try:
            await self.start(response.headers)
            async for message in response.stream:
                await self.message(message)
        finally:
            await response.stream.aclose()
        await self._end(response)

    async def start(self, headers: Pairs | None = None) -> None:
        """Send the headers."""
        self.started = True
        own = [(b"content-type", b"application/grpc" + _suffix(self._content_type))]
        if self.encoding == b"gzip":
            own.append((b"grpc-encoding", b"gzip"))
        if headers:
            own += headers
        await self._send({"type": "http.response.start", "status": 200, "headers": own, "trailers": True})

    async def message(self, message: bytes) -> None:
        """Send one message of a stream."""
        if len(message) > self._limit:
            raise too_large("trying to send", len(message), self._limit)
        body = frame(message, compress=self.encoding == b"gzip" and bool(message))
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def finish(self, response: Response) -> None:
        """Send the status, and before it the headers if they are still to be sent."""
        if not self.started:
            await self.start(response.headers)
        await self._end(response)

    async def _end(self, response: Response) -> None:
        await self._send({"type": "http.response.body", "body": b""})
        await self._send(_trailers(response))

    async def fail(self, status: GrpcStatus) -> None:
        """Send an error."""
        if self.encoding not in ENCODINGS:
            self.encoding = b"identity"
            headers = [(b"grpc-accept-encoding", b"identity,gzip")]
        else:
            headers = None
        try:
            await self.finish(Response(code=status.code, text=status.message, details=status.details, headers=headers))
        except OSError:
            pass  # the client has left; the cause is in the log


class _StreamCall:
    """Implements :class:`pyroadrunner.grpcd.call.Stream`."""

    __slots__ = ("_call", "_ended", "_reader", "_receive")

    def __init__(self, receive: Receive, call: _Call, reader: MessageReader) -> None:
        self._receive = receive
        self._call = call
        self._reader = reader
        self._ended = False

    async def receive(self) -> bytes | None:
        while (message := self._reader.next()) is None:
            if self._ended:
                self._reader.check_end()
                return None
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise _ClientLeft
            self._reader.feed(event.get("body", b""))
            self._ended = not event.get("more_body")
        return message

    async def send(self, message: bytes) -> None:
        if not self._call.started:
            await self._call.start()
        await self._call.message(message)


def unknown_method(path: str) -> GrpcStatus:
    """The status of a path without a method, with grpc-go's texts."""
    return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown method {path}")


def _timeout(value: bytes) -> float:
    try:
        return parse_timeout(value)
    except ValueError as wrong:
        raise GrpcStatus(StatusCode.INTERNAL, str(wrong)) from wrong


def _deadline_exceeded() -> GrpcStatus:
    return GrpcStatus(StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")


def _is_grpc(content_type: bytes) -> bool:
    return content_type == b"application/grpc" or (
        content_type.lower().startswith(b"application/grpc") and content_type[16:17] in (b"", b"+", b";", b" ")
    )


def _suffix(content_type: bytes) -> bytes:
    """The response has the subtype of the request: ``+proto``."""
    rest = content_type[16:]
    return rest.split(b";")[0].strip() if rest[:1] == b"+" else b""


def _is_whole(body: bytes) -> bool:
    return int.from_bytes(body[1:PREFIX], "big") == len(body) - PREFIX


def _trailers(response: Response) -> Message:
    if not response.code and response.trailers is None and not response.text:
        return _OK
    headers = [(b"grpc-status", b"%d" % response.code)]
    if response.text:
        headers.append((b"grpc-message", encode_message(response.text[:_MAX_TEXT])))
    if response.details:
        headers.append((b"grpc-status-details-bin", encode_bin(response.details)))
    if response.trailers:
        headers += response.trailers
    return {"type": "http.response.trailers", "headers": headers}


def _unknown_encoding(encoding: bytes) -> GrpcStatus:
    name = encoding.decode("ascii", "replace")
    return GrpcStatus(StatusCode.UNIMPLEMENTED, f'grpc: Decompressor is not installed for grpc-encoding "{name}"')


async def _send_without_trailers(send: Send, status: GrpcStatus) -> None:
    """A response that consists of headers only."""
    headers = [
        _CONTENT_TYPE,
        (b"grpc-status", b"%d" % status.code),
        (b"grpc-message", encode_message(status.message[:_MAX_TEXT])),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse_http(scope: Scope, content_type: bytes, send: Send) -> None:
    if scope["method"] != "POST":
        await _send_http(send, 405, b"gRPC needs POST\n", [(b"allow", b"POST")])
        return
    shown = content_type.decode("latin-1")
    text = encode_message(f'invalid gRPC request content-type "{shown}"')
    await _send_http(send, 415, b"", [(b"grpc-status", b"3"), (b"grpc-message", text)])


async def _send_http(send: Send, status: int, body: bytes, headers: Pairs | None = None) -> None:
    own = [(b"content-length", b"%d" % len(body)), *(headers or [])]
    if body:
        own.append((b"content-type", b"text/plain; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
