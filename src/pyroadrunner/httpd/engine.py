"""Sockets to ASGI: h2corn, embedded in the event loop. The only module that uses h2corn.

Its limits ensure that a slow client costs only itself: the body is read before a worker is assigned, and no timeout
ends a response that makes progress.

The engine has no setting for some bounds, and no way to close a connection. The kernel ends a connection whose client
does not read (TCP_USER_TIMEOUT). For the rest, the listener finds the connection among the process's sockets and resets
it: after the grace period, and if the client has too many HTTP/2 streams reset.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h2corn._lib
from h2corn import Config, RequestPolicy, Server

from pyroadrunner.asgi import PEER, STOPPED, ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.reset_guard import RESETS, Client, ResetGuard
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.net.backlog import warn_when_full
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.drain import drain, resume_inherited
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.peers import close_accepted, close_peers

DEFAULT_STREAMS = 128  # concurrent streams of one HTTP/2 connection, as in RoadRunner
# Of HTTP/2, as the client counts it (RFC 9113, section 6.5.2); more gives 431. It is a bound for memory: one byte of
# HPACK may stand for 4 KB, and all streams of a connection may be open at once.
_H2_HEAD_BYTES = 1 << 17
_H2_BLOCK_BYTES = 1 << 18  # compressed; more ends the connection, since its HPACK state is then unknown
_H2_FRAME_BYTES = 1 << 14  # HTTP/2's initial value; with more, h2spec's oversized frames would be accepted
_PIECE = 1 << 16  # bytes; h2corn queues up to 32 pieces of a streamed body on HTTP/1.1, whatever their size
_CUT_DELAY = 0.05  # seconds in which more connections to close are found: each search reads the table of open files
_RECOVERY = 1.0  # seconds from a failure of the engine to its restart: the system may have free resources again
_UNWIND_TIMEOUT = 1.0  # seconds for cancelled requests to unwind
_MAX_KEEPALIVE = 32_767  # seconds; Linux takes no more
_NO_LIMIT = 86_400.0  # h2corn's own grace: HttpListener cancels the requests earlier

_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"upgrade"}

# h2corn prints a banner on stderr, and no setting disables it. Octane shows stderr as an error.
h2corn._lib.emit_banner = lambda config, tls: None


class HttpListener:
    """Serves one ASGI application on the sockets of one address.

    Args:
        streams: concurrent streams of one HTTP/2 connection.
        limits: of a connection; ``None`` = the defaults. Connections above ``max_connections`` wait in the backlog, and
            ``head_timeout`` is the longest silence while a head is read.
        tls: the files of the certificate; ``None`` = plain HTTP.
        date: whether responses carry the header ``date``.
        channel: of the log.

    Attributes:
        sockets: open WebSockets; :meth:`refuse` would close them.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        *,
        streams: int = DEFAULT_STREAMS,
        limits: Limits | None = None,
        tls: TlsFiles | None = None,
        date: bool = True,
        channel: str = "http",
    ) -> None:
        self._app = app
        self._log = Log(channel)
        self._bound = bound
        self._tls = tls is not None
        self._aborting = False
        self._retired = False
        self._refusing = False
        limits = limits or Limits()
        self._connections = limits.max_connections or share(2)
        self._requests: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        # A client that leaves cancels up to two tasks per stream: that alone must not exceed the limit.
        self._resets = ResetGuard(max(RESETS, 2 * streams))
        self._to_cut: set[Client] = set()
        self.sockets = 0
        self._config = _config(bound, streams, self._connections, limits, tls, date=date)
        self._server = Server(self._request, self._config)

    def __repr__(self) -> str:
        return f"HttpListener({self._bound.address.short})"

    @property
    def done(self) -> bool:
        """Whether its last request has ended, after :meth:`refuse`."""
        return self._requests is None or self._requests.done()

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            ListenError: the server fails to start.
        """
        self._bound.listen()
        self._requests = asyncio.create_task(self._serve(), name=f"listen {self._bound.address.short}")
        try:
            await self._server.wait_started()
        except Exception as wrong:
            self._bound.close()
            raise ListenError(f"{self._bound.address.short}: the HTTP server fails to start: {wrong}") from wrong
        self._bound.take_over()
        self._watching = asyncio.create_task(warn_when_full(self._bound, self._connections, self._log), name="backlog")
        self._log.debug("http server was started", address=self._bound.address.short)

    async def run(self) -> None:
        """Wait until it has stopped."""
        assert self._requests is not None
        await asyncio.shield(self._requests)

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await drain(self._bound, tls=self._tls)

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
        self._refusing = True
        if self._watching is not None:
            self._watching.cancel()
        self._server.shutdown()
        self._bound.refuse()

    def close_after_response(self) -> None:
        """Close each connection after its next response, since another server has taken over the address.

        Closing an idle connection may lose a request in flight; announcing the close in a response does not. (HTTP/2
        can announce it at any time, which :meth:`refuse` uses.)
        """
        self._retired = True

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them. A connection whose
        client does not even read that answer is reset."""
        await resume_inherited(self._bound)
        if self._requests is not None and not await self._ends_within(grace):
            self._aborting = True
            cut = [task for task in asyncio.all_tasks() if self._is_request(task)]
            self._log.warning("grace period over; cancelling the remaining requests", requests=len(cut))
            for task in cut:
                task.cancel(STOPPED)
            if not await self._ends_within(_UNWIND_TIMEOUT):
                self._reset_connections()
                await self._ends_within(_UNWIND_TIMEOUT)
        self._bound.close()

    async def _ends_within(self, seconds: float) -> bool:
        assert self._requests is not None
        done, _ = await asyncio.wait([self._requests], timeout=seconds)
        return bool(done)

    def _reset_connections(self) -> None:
        try:
            closed = close_accepted(self._bound.sockets)
        except OSError as wrong:  # no descriptor is free
            self._log.warning("the remaining connections can't be closed", error=str(wrong))
        else:
            self._log.warning("closed the remaining connections", connections=closed)

    async def _serve(self) -> None:
        """Run the engine and restart it after a system error (``accept`` without a free descriptor)."""
        while True:
            try:
                await self._server.serve()
            except OSError as wrong:
                if self._refusing or self._watching is None:  # not started yet: the start fails
                    raise
                self._log.error(
                    "the HTTP server failed and lost its connections; restarting it",
                    address=self._bound.address.short,
                    error=str(wrong),
                )
            else:
                return
            await asyncio.sleep(_RECOVERY)
            if self._refusing:
                return
            self._server = Server(self._request, self._config)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _Response(send, self._closes if scope["http_version"] == "1.1" else _never)
        is_socket = scope["type"] == "websocket"
        self.sockets += is_socket
        try:
            await self._app(scope, receive, response.send)
            if not response.started and scope["type"] == "http":  # the client has left in the middle of its body
                self._count_reset(scope)
        except asyncio.CancelledError:
            if not self._aborting:
                self._count_reset(scope)
                raise
            # Cancelled by finish(): returning closes the connection without a traceback.
        finally:
            self.sockets -= is_socket

    def _closes(self) -> bool:
        return self._retired

    def _count_reset(self, scope: Scope) -> None:
        """Count a stream that its client has reset, or the engine because of an error of the client."""
        client = scope[PEER] if PEER in scope else scope.get("client")
        if scope["http_version"] != "2" or not client:  # a unix socket has no clients to tell apart
            return
        loop = asyncio.get_running_loop()
        peer = client[0], client[1]
        if self._resets.exceeded(peer, loop.time()):
            if not self._to_cut:
                loop.call_later(_CUT_DELAY, self._cut)
            self._to_cut.add(peer)

    def _cut(self) -> None:
        peers, self._to_cut = self._to_cut, set()
        with suppress(OSError):  # no descriptor is free
            if closed := close_peers(peers):
                clients = sorted({host for host, _ in peers})
                self._log.warning(
                    "closed connections: too many HTTP/2 streams were reset", connections=closed, clients=clients
                )

    def _is_request(self, task: asyncio.Task[Any]) -> bool:
        coroutine = task.get_coro()
        if getattr(coroutine, "cr_code", None) is not HttpListener._request.__code__:
            return False
        frame = getattr(coroutine, "cr_frame", None)
        return frame is not None and frame.f_locals.get("self") is self


def _limit_in_kernel(bound: BoundSockets, limits: Limits) -> bool:
    """Make the kernel watch connections. Return whether it ends those whose client does not read."""
    if limits.keepalive:
        _keep_alive(bound, limits.keepalive, limits.keepalive_timeout)
        if limits.keepalive + limits.keepalive_timeout < limits.write_timeout:
            return False  # TCP_USER_TIMEOUT would replace the keep-alive's own, shorter time
    return _limit_writes(bound, limits.write_timeout)


def _keep_alive(bound: BoundSockets, idle: float, timeout: float) -> None:
    """Make the kernel probe silent connections; accepted sockets inherit the options."""
    probes = 3
    options = {
        "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE": min(idle, _MAX_KEEPALIVE),
        "TCP_KEEPINTVL": min(timeout / probes, _MAX_KEEPALIVE),
        "TCP_KEEPCNT": probes,
    }
    with suppress(OSError):  # a unix socket
        for one in bound.sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in options.items():
                if (option := getattr(socket, name, None)) is not None:
                    one.setsockopt(socket.IPPROTO_TCP, option, max(1, round(value)))


def _limit_writes(bound: BoundSockets, timeout: float) -> bool:
    """Make the kernel end connections whose client does not read; accepted sockets inherit the option. Return whether
    it does so. h2corn has no such limit on HTTP/1.1. On HTTP/2 it has one, but a connection that is merely slow may
    exceed it: h2corn counts from the moment when the kernel takes no more until it takes the next megabyte."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None:
        return False
    try:
        for one in bound.sockets:
            one.setsockopt(socket.IPPROTO_TCP, option, int(timeout * 1000))
    except OSError:  # a unix socket, or a sandbox that implements only part of Linux
        return False
    return True


def _never() -> bool:
    """HTTP/2 announces the end of a connection without a response."""
    return False


class _Response:
    """Sends the messages of one response in the form that h2corn takes.

    Args:
        closes: whether the connection is closed after this response; called at its beginning.

    Attributes:
        started: whether the application has sent the beginning.
    """

    __slots__ = ("_closes", "_send", "started")

    def __init__(self, send: Send, closes: Callable[[], bool]) -> None:
        self._send = send
        self._closes = closes
        self.started = False

    def send(self, message: Message) -> Awaitable[None]:
        kind = message["type"]  # also "websocket.http.response...", the response to a refused handshake
        if kind.endswith("http.response.body"):
            if message.get("more_body") and len(message.get("body", b"")) > _PIECE:
                return _send_in_pieces(self._send, message)
        elif kind.endswith("http.response.start"):
            self.started = True
            message = _with_own_connection(message, closing=self._closes())
        return self._send(message)


async def _send_in_pieces(send: Send, message: Message) -> None:
    with memoryview(message["body"]) as whole:
        for start in range(0, len(whole), _PIECE):
            await send({**message, "body": bytes(whole[start : start + _PIECE])})


def _with_own_connection(message: Message, *, closing: bool) -> Message:
    """Without the fields that control a connection: h2corn knows only some of their values, and answers 500 to others.
    ``close`` is kept."""
    headers = message.get("headers", ())
    if not closing and _CONNECTION.isdisjoint([name.lower() for name, _ in headers]):
        return message
    kept = []
    for name, value in headers:
        if name.lower() not in _CONNECTION:
            kept.append((name, value))
        elif name.lower() == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
            closing = True
    if closing:
        kept.append((b"connection", b"close"))
    return {**message, "headers": kept}


def _config(
    bound: BoundSockets,
    streams: int,
    connections: int,
    limits: Limits,
    tls: TlsFiles | None,
    *,
    date: bool,
) -> Config:
    return Config(
        bind=tuple(f"fd://{one.fileno()}" for one in bound.sockets),
        lifespan="off",
        access_log=False,
        runtime_threads=1,  # a second thread costs more in GIL contention than it brings
        certfile=Path(tls.cert) if tls else None,
        keyfile=Path(tls.key) if tls else None,
        ca_certs=Path(tls.root_ca) if tls and tls.client != "none" else None,
        cert_reqs=tls.client if tls else "none",
        limit_connections=connections,
        max_concurrent_streams=streams,
        h2_max_inbound_frame_size=_H2_FRAME_BYTES,
        h2_max_header_list_size=_H2_HEAD_BYTES,
        h2_max_header_block_size=_H2_BLOCK_BYTES,
        grpc=True,  # otherwise h2corn refuses gRPC requests by their content type
        limit_request_head_size=limits.max_head,
        limit_request_line=0,
        limit_request_fields=0,
        limit_request_field_size=0,
        max_request_body_size=0,  # limited where it is read, with RoadRunner's response
        request_policies=(
            RequestPolicy(
                path="/*",
                max_request_body_size=0,
                timeout_request_body_idle=limits.body_timeout,
                h2_timeout_response_stall=limits.write_timeout,
            ),
        ),
        h2_timeout_response_stall=limits.write_timeout,
        h2_timeout_write=0 if _limit_in_kernel(bound, limits) else limits.write_timeout,
        timeout_handshake=limits.head_timeout,
        timeout_request_header=limits.head_timeout,
        timeout_request_body_idle=limits.body_timeout,
        timeout_keep_alive=limits.idle_timeout,
        timeout_graceful_shutdown=_NO_LIMIT,
        date_header=date,
    )
