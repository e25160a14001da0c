"""gRPC as an ASGI application, for servers that send trailers (``httpd.engine``).

A call with one message takes the short way: its body is read, its handler is awaited, three messages are sent. Streams
in both directions take the way of ``_StreamCall``. One table of methods decides; everything else is UNIMPLEMENTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from pyroadrunner.asgi import STOPPED, Message, Receive, Scope, Send
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.grpcd.call import Method, Observer, Pairs, Request, Response
from pyroadrunner.grpcd.deadlines import PASSED, Deadlines
from pyroadrunner.grpcd.message import ENCODINGS, PREFIX, MessageReader, decompress, frame, too_large
from pyroadrunner.grpcd.metadata import encode_bin, encode_message
from pyroadrunner.grpcd.status import GrpcStatus, StatusCode
from pyroadrunner.grpcd.timeout import parse_timeout
from pyroadrunner.grpcd.unread import UNREAD, Connections, Sender
from pyroadrunner.log import Log

_CONTENT_TYPE = (b"content-type", b"application/grpc")
_NO_TRAILERS = "the request has no header `te: trailers`, so its response can't carry a status"
_TRAILERS = "http.response.trailers"
_START: Message = {"type": "http.response.start", "status": 200, "headers": [_CONTENT_TYPE], "trailers": True}
_OK: Message = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}
_LONG, _LONG_COMPRESSED = 1 << 18, 1 << 12  # bytes
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
        self.max_receive = max_receive
        self.max_send = max_send
        self.connections = Connections()
        self._observer = observer
        self._unknown = unknown or unknown_method
        self._deadlines = Deadlines()

    def __repr__(self) -> str:
        return f"GrpcApp({len(self._methods) // 2} methods)"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one call."""
        if scope["type"] != "http":
            return _nothing()
        found: dict[bytes, bytes] = dict(scope["headers"])
        content_type = found.get(b"content-type", b"")
        if scope["method"] != "POST" or not _is_grpc(content_type):
            return _refuse_http(scope, content_type, send)
        if scope["http_version"] == "1.1":
            return _send_http(send, 505, b"gRPC needs HTTP/2\n")
        method = self._methods.get(scope["raw_path"])
        if method is None:
            unknown = self._unknown(scope["raw_path"].decode("utf-8", "replace"))
            return _Call(self, scope, send, content_type, b"identity").fail(unknown)
        if _TRAILERS not in scope["extensions"]:
            return _send_without_trailers(send, GrpcStatus(StatusCode.INTERNAL, _NO_TRAILERS))
        call = _Call(self, scope, send, content_type, found.get(b"grpc-encoding", b"identity"))
        return self._serve(method, call, found, receive)

    async def _serve(self, method: Method, call: _Call, found: dict[bytes, bytes], receive: Receive) -> None:
        observer = self._observer
        began = monotonic()
        if observer is not None:
            observer.began()
        code, text = int(StatusCode.CANCELLED), "the client has cancelled the call"
        task: asyncio.Task[None] | None = None
        failure: GrpcStatus | None = None
        try:
            timeout: float | None = None
            if b"grpc-timeout" in found:
                timeout = _timeout(found[b"grpc-timeout"])
                task = _current_task()
                self._deadlines.add(task, timeout)
            if call.encoding not in ENCODINGS:
                raise _unknown_encoding(call.encoding)
            if method.handler is None:
                await self._serve_stream(method, call, receive)
                code, text = 0, ""
            else:
                request = await self._request(method, call, found, receive, timeout)
                response = await method.handler(request)
                await call.answer(response)
                code, text = int(response.code), response.text
        except GrpcStatus as status:
            failure = status
        except asyncio.CancelledError as cancelled:
            failure = _status_of(cancelled)
            if failure is None:
                raise
            code, text = failure.code, failure.message
            if UNREAD in cancelled.args:  # a status would wait, too; without one the engine resets the stream
                call.ending = True
            if STOPPED in cancelled.args:
                await call.fail(failure)
                raise
            _current_task().uncancel()
        except _ClientLeft:
            pass
        except OSError as error:  # the server raises it if the client has left
            log.debug("write response error", method=method.path, error=str(error))
        except (RoadRunnerError, ValueError) as error:
            failure = GrpcStatus(StatusCode.UNKNOWN, str(error))
        except Exception as error:  # an interceptor's; other calls are not concerned
            failure = GrpcStatus(StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
            log.error("a handler failed", method=method.path, error=failure.message)
        finally:
            if task is not None:
                self._deadlines.discard(task)
            if failure is not None:
                code, text = failure.code, failure.message
            if observer is not None:
                observer.ended(method.path, code, text, monotonic() - began)
        if failure is not None:
            await call.fail(failure)

    async def _serve_stream(self, method: Method, call: _Call, receive: Receive) -> None:
        assert method.stream_handler is not None
        await method.stream_handler(_StreamCall(receive, call, self.max_receive))
        await call.finish(Response())

    async def _request(
        self, method: Method, call: _Call, found: dict[bytes, bytes], receive: Receive, timeout: float | None
    ) -> Request:
        """The request of a call with one message."""
        message = await receive()
        body: bytes = message.get("body", b"")
        whole = len(body) >= PREFIX and not body[0] and _is_whole(body)
        if whole and message.get("more_body") and not method.client_streaming:
            message = await receive()  # the engine tells the end of a request by itself
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            whole = not message.get("body") and not message.get("more_body")
            body += message.get("body", b"")
        if not whole:
            body = await self._read(body, message, receive, call.encoding, method)
        elif len(body) - PREFIX > self.max_receive:
            raise too_large("received", len(body) - PREFIX, self.max_receive)
        else:
            body = body[PREFIX:]
        scope = call.scope
        client = scope.get("client")
        return Request(
            method.path,
            body,
            scope["headers"],
            peer=client and (client[0], client[1]),
            authority=found.get(b":authority", found.get(b"host", b"")).decode("utf-8", "replace"),
            tls=scope["scheme"] == "https",
            timeout=timeout,
        )

    async def _read(self, body: bytes, message: Message, receive: Receive, encoding: bytes, method: Method) -> bytes:
        """The only message of a request that did not arrive in one piece, is compressed, or is not right."""
        reader = MessageReader(self.max_receive)
        first: tuple[int, bytes] | None = None
        while True:
            reader.feed(body)
            while (one := reader.next()) is not None:
                if first is not None:
                    raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent more than one message")
                first = one
                if method.client_streaming:
                    return await _decompressed(first, encoding, self.max_receive)
            if not message.get("more_body"):
                break
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeft
            body = message.get("body", b"")
        reader.check_end()
        if first is None:
            raise GrpcStatus(StatusCode.UNIMPLEMENTED, "the client sent no message")
        return await _decompressed(first, encoding, self.max_receive)


class _ClientLeft(Exception):
    """The client has left in the middle of its request."""


class _Call:
    """The sending side of one call.

    Attributes:
        scope: of the request.
        encoding: of the request, and so of the response.
        started: whether the headers were sent.
        ending: whether the last of the body was sent, or waits for the client: it is too late for another status.
    """

    __slots__ = ("_app", "_content_type", "_send", "_sender", "encoding", "ending", "scope", "started")

    def __init__(self, app: GrpcApp, scope: Scope, send: Send, content_type: bytes, encoding: bytes) -> None:
        self._app = app
        self.scope = scope
        self._send = send
        self._content_type = content_type
        self._sender: Sender | None = None
        self.encoding = encoding
        self.started = self.ending = False

    async def answer(self, response: Response) -> None:
        """Send a whole response."""
        message = response.message
        if response.stream is not None:
            await self._answer_with_stream(response)
            return
        if message is None:
            await self.finish(response)
            return
        self._check(message)
        send = self._send
        if self.encoding == b"gzip" and message:
            await self.start(response.headers)
            body = await _compressed(message)
        else:
            if response.headers is None and len(self._content_type) == 16 and self.encoding == b"identity":
                self.started = True
                await send(_START)
            else:
                await self.start(response.headers)
            body = b"\0" + len(message).to_bytes(4, "big") + message
        self.ending = True
        last: Message = {"type": "http.response.body", "body": body}
        if self.scope.get("client") in self._app.connections:
            await self._send_watched(last)
        else:
            await send(last)
        await send(_trailers(response))

    async def _send_watched(self, message: Message) -> None:
        """Send beside a stream of the same connection, which its client may not read."""
        connections, connection = self._app.connections, self.scope["client"]
        sender = Sender()
        sender.waits_since = connections.now()
        connections.add(connection, sender)
        try:
            await self._send(message)
        finally:
            connections.discard(connection, sender)

    async def _answer_with_stream(self, response: Response) -> None:
        assert response.stream is not None
        connections, connection = self._app.connections, self.scope.get("client")
        if connection is not None:  # on a unix socket connections can't be told apart
            self._sender = Sender(_current_task())
            connections.add(connection, self._sender)
        try:
            await self.start(response.headers)
            async for message in response.stream:
                await self.message(message)
        finally:
            if self._sender is not None:
                connections.discard(connection, self._sender)
            await response.stream.aclose()
        await self._end(response)

    def _check(self, message: bytes) -> None:
        if len(message) > self._app.max_send:
            raise too_large("trying to send", len(message), self._app.max_send)

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
        self._check(message)
        body = await _compressed(message) if self.encoding == b"gzip" and message else frame(message)
        sender = self._sender
        if sender is not None:
            sender.waits_since = self._app.connections.now()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        if sender is not None:
            sender.waits_since = 0.0

    async def finish(self, response: Response) -> None:
        """Send the status, and before it the headers if they are still to be sent."""
        if not self.started:
            await self.start(response.headers)
        await self._end(response)

    async def _end(self, response: Response) -> None:
        self.ending = True
        await self._send({"type": "http.response.body", "body": b""})
        await self._send(_trailers(response))

    async def fail(self, status: GrpcStatus) -> None:
        """Send an error, unless the response has ended. The engine resets a stream that has not ended properly."""
        if self.ending:
            return
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

    __slots__ = ("_call", "_ended", "_limit", "_reader", "_receive")

    def __init__(self, receive: Receive, call: _Call, limit: int) -> None:
        self._receive = receive
        self._call = call
        self._limit = limit
        self._reader = MessageReader(limit)
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
        return await _decompressed(message, self._call.encoding, self._limit)

    async def send(self, message: bytes) -> None:
        if not self._call.started:
            await self._call.start()
        await self._call.message(message)


def unknown_method(path: str) -> GrpcStatus:
    """The status of a path without a method, with grpc-go's texts."""
    return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown method {path}")


async def _compressed(message: bytes) -> bytes:
    """A compressed message with its prefix; a large one is compressed in a thread, not to hold up other calls."""
    if len(message) > _LONG:
        return await asyncio.to_thread(frame, message, compress=True)
    return frame(message, compress=True)


async def _decompressed(message: tuple[int, bytes], encoding: bytes, limit: int) -> bytes:
    """The content of a message. A few kilobytes of gzip may stand for megabytes: a thread decompresses more."""
    flag, data = message
    if flag and len(data) > _LONG_COMPRESSED:
        return await asyncio.to_thread(decompress, flag, data, encoding, limit)
    return decompress(flag, data, encoding, limit)


def _timeout(value: bytes) -> float:
    try:
        timeout = parse_timeout(value)
    except ValueError as wrong:
        raise GrpcStatus(StatusCode.INTERNAL, str(wrong)) from wrong
    if not timeout:
        raise _deadline_exceeded()
    return timeout


def _current_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _status_of(cancelled: asyncio.CancelledError) -> GrpcStatus | None:
    """Why the server has cancelled a call; ``None`` = its client has left."""
    if PASSED in cancelled.args:
        return _deadline_exceeded()
    if STOPPED in cancelled.args:
        return GrpcStatus(StatusCode.UNAVAILABLE, "the server stops")
    if UNREAD in cancelled.args:
        return GrpcStatus(StatusCode.RESOURCE_EXHAUSTED, UNREAD)
    return None


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


async def _nothing() -> None:
    """For other protocols than HTTP: the server refuses the connection."""


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
