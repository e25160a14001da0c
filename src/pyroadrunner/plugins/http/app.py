"""The ASGI application: one worker call per request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

import msgspec

from pyroadrunner.asgi import CLIENT, INFORMATIONAL, PEER, STOPPED, Client, Receive, Scope, Send
from pyroadrunner.contracts import WorkerPool
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.http1.header_block import HeaderBlock
from pyroadrunner.httpd.http1.whole import WholeExchange
from pyroadrunner.plugins.http.body.forms import FormLimits, parse_urlencoded
from pyroadrunner.plugins.http.body.reader import BodyLimits, BodyReader
from pyroadrunner.plugins.http.body.uploads import Form, UploadRules
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.disconnects import PendingCalls
from pyroadrunner.plugins.http.error_log import OverloadLog, log, log_error
from pyroadrunner.plugins.http.errors import CLIENT_LEFT, OVERLOAD, Answer, ClientGone, RequestError, failure, refusal
from pyroadrunner.plugins.http.measure import Ended, measured
from pyroadrunner.plugins.http.request import FORM, MULTIPART, NONE, RAW, Context, build, build_whole, encode_json
from pyroadrunner.plugins.http.response import (
    Head,
    HeadCache,
    body_message,
    framing,
    read_head,
    trailers_message,
    whole,
)
from pyroadrunner.plugins.http.response_stream import Forwarder
from pyroadrunner.plugins.http.worker_call import WorkerCall, describe
from pyroadrunner.workers.call import Submission
from pyroadrunner.workers.errors import BadReply as WorkerBadReply
from pyroadrunner.workers.errors import PoolClosed, WorkerCrashed
from pyroadrunner.workers.payload import Codec, Payload, Reply

_MB = 1 << 20
_DEFAULT_MAX_MB = 1000
_LONG_FORM = 1 << 17  # bytes
_TRAILERS = "http.response.trailers"

Encode = Callable[[Context], bytes]


class DirectCall:
    """The call of a request that is served in callbacks; a receiver for ``WorkerPool.submit``."""

    __slots__ = ("_app", "_began", "_exchange", "submission")
    submission: Submission

    def __init__(self, app: WorkerApp, exchange: WholeExchange, began: float) -> None:
        self._app = app
        self._exchange = exchange
        self._began = began

    def __repr__(self) -> str:
        return f"DirectCall({self.describe()})"

    def on_left(self, gone: bool) -> None:
        """The client has disconnected. If it may still read a response (``gone`` is false), a call that a worker runs
        is finished."""
        if gone or self.submission.waiting:
            self.submission.cancel()
            self._exchange.abort()

    def on_stop(self) -> None:
        """The server stops and its grace period is over."""
        self.submission.cancel()
        self.on_error(self._app.stopped())

    # Receiver

    def on_reply(self, reply: Reply) -> None:
        self._app.respond(reply, self._exchange, self._began)

    def on_error(self, error: Exception) -> None:
        self._app.respond_error(error, self._exchange, self._began)

    def describe(self) -> str:
        return describe(self._exchange.head.method, self._exchange.head.path)


class WorkerApp:
    """Passes requests to a pool of workers.

    Args:
        rules: where uploads are stored and which are refused.
        calls: registers the calls whose server does not tell that their client has left.
        limits: limits on request bodies; ``None`` = those of the config.
        ended: called with the status and the duration of each request; ``None`` = they are not measured.
    """

    def __init__(
        self,
        config: HttpConfig,
        pool: WorkerPool,
        rules: UploadRules,
        calls: PendingCalls,
        limits: BodyLimits | None = None,
        ended: Ended | None = None,
    ) -> None:
        self._pool = pool
        self._ended = ended
        self._heads = HeadCache()
        self._rules = rules
        self._calls = calls
        self._limits = limits or BodyLimits(max_body=(config.max_request_size or _DEFAULT_MAX_MB) * _MB)
        self._forms = FormLimits.of(config.forms)
        self._form_limits = self._limits
        if self._forms.max_size < self._limits.max_body:
            self._form_limits = replace(self._limits, max_body=self._forms.max_size, too_large=self._forms.too_large)
        self._raw_body = config.raw_body
        self._internal_code = _final(config.internal_error_code, 500)
        self._overload_code = _final(config.overload_code, 503)
        self._debug = config.pool.debug or config.dev
        self._codec, self._encode = _codec(config.codec)
        self._overload = OverloadLog()

    def __repr__(self) -> str:
        return f"WorkerApp(pool={self._pool.name!r}, codec={Codec(self._codec).name})"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one ``http`` request. If this returns before the response has ended, the server must close the
        connection."""
        began = monotonic()
        if self._ended is not None:
            return measured(self._ended, began, send, lambda seen: self._serve(scope, receive, seen, began))
        return self._serve(scope, receive, send, began)

    def _serve(self, scope: Scope, receive: Receive, send: Send, began: float) -> Awaitable[None]:
        context, kind, length = build(scope)
        if kind == NONE:
            return self._execute(context, b"", scope, send, began)
        return self._execute_with_body(context, kind, length, scope, receive, send, began)

    def serve_whole(self, exchange: WholeExchange, body: bytes) -> bool:
        """Serve a request whose body has arrived, in callbacks: no task, no future, no ASGI messages.

        Returns:
            False: nothing was done; call the application (a multipart or long form, a body that is too large).
        """
        began = monotonic()
        context, kind, length = build_whole(exchange)
        if kind == NONE:
            body = b""
        elif length > self._limits.max_body or len(body) > self._limits.max_body:
            return False
        elif kind == FORM and not self._raw_body:
            if len(body) > min(_LONG_FORM, self._form_limits.max_body):
                return False
            try:
                body = self._encode_tree(parse_urlencoded(body, self._forms))
            except RequestError:
                return False
            context.parsed = True
        elif kind == MULTIPART and not self._raw_body:
            return False
        try:
            payload = Payload(self._encode(context), body, self._codec)
        except (TypeError, ValueError):
            return False
        call = DirectCall(self, exchange, began)
        try:
            call.submission = self._pool.submit(payload, call)
        except RoadRunnerError as error:
            call.on_error(error)
        else:
            exchange.on_left = call.on_left
            exchange.on_stop = call.on_stop
        return True

    def respond(self, reply: Reply, exchange: WholeExchange, began: float) -> None:
        """The second half of :meth:`serve_whole`: send a reply."""
        if reply.stream is not None:
            stream = partial(self._stream, reply, exchange.scope, False, began=began)
            ended = self._ended
            exchange.continue_in_task(
                stream(exchange.send) if ended is None else measured(ended, began, exchange.send, stream)
            )
            return
        head = self._heads.shared(reply.context)
        if head is None:
            try:
                head = self._read_head(reply, False)
            except RoadRunnerError as error:
                self.respond_error(error, exchange, began)
                return
        body = reply.body
        if head.dropped or (head.bodiless and body):
            _complain(head, reply, self._named(exchange.scope))
        body, length = framing(head, body, head_only=exchange.head.method == "HEAD")
        exchange.respond(head.status, head.block(), body, length)
        if self._ended is not None:
            self._ended(head.status, monotonic() - began)

    def respond_error(self, error: Exception, exchange: WholeExchange, began: float) -> None:
        """Send the response to a failure."""
        answer = self._failed("execute", error, exchange.scope, began)
        exchange.respond(answer.status, HeaderBlock(answer.headers), answer.body, len(answer.body))
        if self._ended is not None:
            self._ended(answer.status, monotonic() - began)

    def stopped(self) -> PoolClosed:
        """The error of a request whose grace period is over."""
        return PoolClosed(self._pool.name)

    async def _execute_with_body(
        self, context: Context, kind: int, length: int, scope: Scope, receive: Receive, send: Send, began: float
    ) -> None:
        form: Form | None = None
        try:
            if self._raw_body:
                kind = RAW
            limits = self._form_limits if kind == FORM else self._limits
            reader = BodyReader(receive, limits, length, monotonic)
            body: bytes | bytearray
            if kind == RAW:
                body = await reader.read_all()
            elif kind == FORM:
                body = await reader.read_all()
                body = await self._tree(len(body), partial(parse_urlencoded, body, self._forms))
                context.parsed = True
            else:
                assert kind == MULTIPART
                form = Form(self._rules, self._forms)
                await form.read(context.headers["Content-Type"][0], reader)
                body = await self._tree(form.size, form.fields)
                context.parsed = True
                context.uploads = form.files
            await self._execute(context, body, scope, send, began)
        except RequestError as error:
            log_error("request forming error", error, began, self._named(scope))
            await _answer(send, refusal(error))
        except ClientGone as gone:
            log.debug("request forming error", error=str(gone), **self._named(scope))
        finally:
            if form is not None:
                form.discard()

    async def _tree(self, size: int, fields: Callable[[], dict[str, Any]]) -> bytes:
        """The fields of a form as the worker gets them. Large forms are parsed in a thread, not to block other
        requests."""
        if size <= _LONG_FORM:
            return self._encode_tree(fields())
        return await asyncio.to_thread(lambda: self._encode_tree(fields()))

    def _encode_tree(self, fields: dict[str, Any]) -> bytes:
        """Encode the fields. An empty form is ``{}`` in JSON, because PHP clients decode the body unchecked. In
        protobuf it is an empty body, as in RoadRunner: PHP clients add the braces themselves."""
        return msgspec.json.encode(fields) if fields or self._codec == Codec.JSON else b""

    async def _execute(self, context: Context, body: bytes | bytearray, scope: Scope, send: Send, began: float) -> None:
        try:
            payload = Payload(self._encode(context), body, self._codec)
        except (TypeError, ValueError) as wrong:  # a middleware set attributes that can't be encoded
            log_error("payload forming error", wrong, began, self._named(scope))
            await _answer(send, self._failure(wrong))
            return
        call = WorkerCall(scope)
        client: Client | None = scope.get(CLIENT)
        try:
            call.submission = self._pool.submit(payload, call)
            if client is not None:
                client.on_left = call.on_left
            elif port := _watched_port(scope):
                self._calls.ports[call] = port
            reply = await call.reply()
        except ClientGone:
            await _answer(send, CLIENT_LEFT)
            return
        except RoadRunnerError as error:
            await self._fail("execute", error, scope, send, began)
            return
        except asyncio.CancelledError as cancelled:
            if STOPPED in cancelled.args:  # the grace period of the server is over
                await _answer(send, self._failure(PoolClosed(self._pool.name)))
            else:
                await _answer(send, CLIENT_LEFT)
            raise
        finally:
            if client is not None:
                client.on_left = None
            else:
                self._calls.ports.pop(call, None)
        trailers = _TRAILERS in scope.get("extensions", ())
        if reply.stream is not None:
            await self._stream(reply, scope, trailers, send, began)
            return
        head = None if trailers else self._heads.get(reply.context)
        if head is None:
            try:
                head = self._read_head(reply, trailers)
            except RoadRunnerError as error:
                await self._fail("execute", error, scope, send, began)
                return
        if head.dropped or (head.bodiless and reply.body):
            _complain(head, reply, self._named(scope))
        try:
            start, rest = whole(head, reply.body, head_only=context.method == "HEAD")
            await send(start)
            await send(rest)
            if head.trailers:
                await send(trailers_message(head))
        except OSError as error:  # ASGI servers raise it if the client has disconnected
            log_error("write response error", error, began, self._named(scope))

    def _read_head(self, reply: Reply, trailers: bool) -> Head:
        if not reply.context:
            return Head(200, {}, trailers=trailers)
        status, headers = read_head(reply.context, reply.codec, self._codec)
        head = Head(status, headers, trailers=trailers)
        self._heads.put(reply.context, head)
        return head

    def _named(self, scope: Scope) -> dict[str, str]:
        """Fields of the log that identify the request."""
        path = scope["raw_path"].decode("utf-8", "replace")
        return {"method": scope["method"], "path": path, "pool": self._pool.name}

    async def _stream(self, reply: Reply, scope: Scope, trailers: bool, send: Send, began: float) -> None:
        assert reply.stream is not None
        forwarder = Forwarder(
            send,
            self._codec,
            head_only=scope["method"] == "HEAD",
            trailers=trailers,
            interim=INFORMATIONAL in scope.get("extensions", ()),
            request=self._named(scope),
        )
        try:
            await forwarder.forward(reply, reply.stream)
        except RoadRunnerError as error:
            if forwarder.started:
                # Returning before the end makes the server close the connection.
                log_error("read stream", error, began, self._named(scope))
            else:
                await self._fail("read stream", error, scope, send, began)
        except OSError as error:
            log_error("write response (chunk) error", error, began, self._named(scope))

    async def _fail(self, what: str, error: Exception, scope: Scope, send: Send, began: float) -> None:
        await _answer(send, self._failed(what, error, scope, began))

    def _failed(self, what: str, error: Exception, scope: Scope, began: float) -> Answer:
        """Log a failure; return the response."""
        if isinstance(error, OVERLOAD):
            self._overload.refused(error, monotonic())
        elif not isinstance(error, WorkerCrashed | WorkerBadReply):  # the pool has logged these with all details
            log_error(what, error, began, self._named(scope))
        return self._failure(error)

    def _failure(self, error: Exception) -> Answer:
        return failure(error, self._internal_code, self._overload_code, self._debug)


def _watched_port(scope: Scope) -> int:
    """The port of a client whose disconnect the server does not report (HTTP/1.1 on h2corn); 0 = it reports it."""
    peer = scope[PEER] if PEER in scope else scope.get("client")
    return peer[1] if peer and scope["http_version"] == "1.1" else 0


def _final(status: int, default: int) -> int:
    return status if status >= 200 else default


def _codec(name: str) -> tuple[int, Encode]:
    if name != "protobuf":
        return int(Codec.JSON), encode_json
    # Imported only if configured: it costs start time and memory.
    from pyroadrunner.plugins.http.protobuf import encode_protobuf

    return int(Codec.PROTO), encode_protobuf


def _complain(head: Head, reply: Reply, named: dict[str, str]) -> None:
    if head.dropped:
        log.warning("dropped invalid headers of the worker's response", headers=head.dropped, **named)
    if head.bodiless and reply.body:
        log.warning("dropped the worker's body: a response with this status has none", status=head.status, **named)


async def _answer(send: Send, answer: Answer) -> None:
    headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send(body_message(answer.body))
    except OSError:
        pass  # the client has disconnected; the cause is already in the log
