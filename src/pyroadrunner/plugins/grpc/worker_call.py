"""Passes calls to workers: one payload for each call, one reply, or a stream of frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from pyroadrunner.contracts import Chunk, Payload, PoolError, Reply, ReplyStream, Span, Tracing, WorkerPool
from pyroadrunner.grpcd import GrpcStatus, MessageStream, Request, Response, StatusCode
from pyroadrunner.log import Log
from pyroadrunner.plugins.grpc.context import ContextEncoder
from pyroadrunner.plugins.grpc.errors import status_of
from pyroadrunner.plugins.grpc.reply import is_empty, read_head, response_of
from pyroadrunner.workers.call import drop_stream

log = Log("grpc")


class WorkerMethod:
    """Serves one method with the workers of a pool; a handler for ``grpcd``.

    Args:
        service, name: of the method.
        streams: whether it is declared with a streamed response.
        tracing: the plugin that records traces, if there is one.
    """

    __slots__ = ("_context", "_loop", "_pool", "_streams", "_tracing", "path")

    def __init__(
        self, service: str, name: str, pool: WorkerPool, *, streams: bool = False, tracing: Tracing | None = None
    ) -> None:
        self.path = f"/{service}/{name}"
        self._context = ContextEncoder(service, name)
        self._pool = pool
        self._streams = streams
        self._tracing = tracing
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"WorkerMethod({self.path})"

    def __call__(self, request: Request) -> Awaitable[Response]:
        """Answer a call.

        Raises:
            GrpcStatus: its worker failed, or it got none.
        """
        if self._tracing is not None:
            return self._traced(request, self._tracing)
        return self._call(Payload(self._context.encode(request), request.message))

    async def _call(self, payload: Payload) -> Response:
        call = _Call(self.path, self._loop.create_future())
        try:
            submission = self._pool.submit(payload, call)
            try:
                reply = await call.reply
            except asyncio.CancelledError:
                submission.cancel()
                drop_stream(call.reply)
                raise
        except PoolError as error:
            raise status_of(error) from error
        if reply.stream is not None:
            return self._streamed(reply, reply.stream)
        if is_empty(reply.context):
            return Response(reply.body)
        response, dropped = response_of(reply.context, reply.body, streams=self._streams)
        if dropped:
            self._complain(dropped)
        return response

    def _streamed(self, first: Reply, stream: ReplyStream) -> Response:
        if not self._streams:
            stream.drop()
            raise GrpcStatus(StatusCode.UNKNOWN, "streaming is not supported")
        try:
            head = read_head(first.context)
        except GrpcStatus:
            stream.drop()
            raise
        if head.dropped:
            self._complain(head.dropped)
        response = Response(headers=head.headers or None)
        head.apply(response)
        if head.error is not None:
            stream.drop()
            return response
        response.stream = _Messages(self.path, first, stream, response)
        return response

    async def _traced(self, request: Request, tracing: Tracing) -> Response:
        span = tracing.begin_trace(self.path.removeprefix("/"), request.headers, _attributes(request, self.path))
        try:
            trace = span.headers() or None  # the client's own stay, under their lower-case names
            response = await self._call(Payload(self._context.encode(request, trace), request.message))
        except GrpcStatus as status:
            _end_span(span, status.code, status.message)
            raise
        except BaseException:
            _end_span(span, StatusCode.CANCELLED, "cancelled")
            raise
        if response.stream is not None:
            response.stream = _TracedMessages(response.stream, response, span)
        else:
            _end_span(span, response.code, response.text)
        return response

    def _complain(self, dropped: list[str]) -> None:
        complain(self.path, dropped)


def complain(path: str, dropped: list[str]) -> None:
    """Log what was ignored of a worker's context."""
    log.warning("dropped parts of the worker's context", method=path, dropped=dropped)


class _Messages:
    """The messages of a worker's stream; implements ``grpcd.MessageStream``. Trailers and status go into the
    response."""

    def __init__(self, path: str, first: Chunk, stream: ReplyStream, response: Response) -> None:
        self._path = path
        self._first: Chunk | None = first
        self._stream = stream
        self._chunks = aiter(stream)
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first.body
        try:
            chunk = await anext(self._chunks)
        except PoolError as error:
            raise status_of(error) from error
        if not is_empty(chunk.context) and self._ends(chunk):
            raise StopAsyncIteration
        if chunk.last and not chunk.body:
            raise StopAsyncIteration
        return chunk.body

    async def aclose(self) -> None:
        self._stream.drop()  # no effect after its end

    def _ends(self, chunk: Chunk) -> bool:
        """Read the context of a later frame: trailers, and perhaps an error, which ends the stream."""
        head = read_head(chunk.context)
        if head.dropped:
            complain(self._path, head.dropped)
        head.trailers = [*head.headers, *head.trailers]  # headers are sent already
        head.apply(self._response)
        return head.error is not None


class _Call:
    """Receives the reply of one call."""

    __slots__ = ("_path", "reply")

    def __init__(self, path: str, reply: asyncio.Future[Reply]) -> None:
        self._path = path
        self.reply = reply

    def on_reply(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)
        elif reply.stream is not None:
            reply.stream.drop()

    def on_error(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)

    def describe(self) -> str:
        return self._path


class _TracedMessages:
    """A stream with a span, which ends with it."""

    def __init__(self, stream: MessageStream, response: Response, span: Span) -> None:
        self._stream = stream
        self._messages = aiter(stream)
        self._response = response
        self._span = span
        self._outcome = int(StatusCode.CANCELLED), "cancelled"

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._messages)
        except StopAsyncIteration:
            self._outcome = self._response.code, self._response.text
            raise
        except GrpcStatus as status:
            self._outcome = status.code, status.message
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
        _end_span(self._span, *self._outcome)


def _attributes(request: Request, path: str) -> dict[str, str | int]:
    """OpenTelemetry's attributes of an RPC server span. (semantic conventions 1.23)"""
    service, _, method = path.removeprefix("/").partition("/")
    found: dict[str, str | int] = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
    if request.peer is not None:
        found["network.peer.address"], found["network.peer.port"] = request.peer
    return found


_SERVER_ERRORS = frozenset(
    {
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.UNIMPLEMENTED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }
)


def _end_span(span: Span, code: int, text: str) -> None:
    span.set_attributes({"rpc.grpc.status_code": int(code)})
    if code in _SERVER_ERRORS:
        span.fail(text)
    span.end()
