"""Sockets to ASGI: h2corn, embedded in our loop. The only module that knows it.

Its limits are set so that a client can be slow at its own cost only: the body is read before a worker is asked, and no
clock cuts an answer that flows.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import h2corn._lib
from h2corn import Config, RequestPolicy, Server

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.net.backlog import warn_when_full
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.drain import drain, resume_inherited
from pyroadrunner.net.errors import ListenError

DEFAULT_STREAMS = 128  # of one HTTP/2 connection at a time, as in RoadRunner
_HEAD_BYTES = 1 << 20  # request line and headers together; more is 431
_H2_FRAME_BYTES = 1 << 14  # what HTTP/2 begins with; with more, h2spec's frames that are too large would be taken
_FIRST_BYTE_TIMEOUT = 30.0  # seconds from a new connection to its first byte
_HEAD_TIMEOUT = 30.0  # seconds without a byte while a head is read
_BODY_TIMEOUT = 60.0  # seconds without a byte while a body is read
_KEEP_ALIVE_TIMEOUT = 3600.0  # seconds between two requests, as in RoadRunner
_RECOVERY = 1.0  # seconds after the engine has failed: what the system lacked may be there again
_UNWIND_TIMEOUT = 1.0  # for cancelled requests to unwind
_NO_LIMIT = 86_400.0  # h2corn's own grace: ours ends earlier, by cancelling the requests

_HTTP = Log("http")

# It greets on stderr, and there is no setting against that; stderr belongs to the user (Octane shows it as an error).
h2corn._lib.emit_banner = lambda config, tls: None


class HttpListener:
    """Serves one ASGI application on the sockets of one address.

    Args:
        streams: of one HTTP/2 connection at a time.
        connections: at a time; who comes then waits to be accepted. 0 = half of the files that may be open.
        tls: the files of the certificate; ``None`` = plain HTTP.
        behind_proxy: whether each connection begins by telling who the client is (PROXY protocol, version 2).
        log: of the plugin whose door it is.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        *,
        streams: int = DEFAULT_STREAMS,
        connections: int = 0,
        tls: TlsFiles | None = None,
        behind_proxy: bool = False,
        log: Log = _HTTP,
    ) -> None:
        self._app = app
        self._bound = bound
        self._tls = tls is not None
        self._log = log
        self._aborting = False
        self._retired = False
        self._refusing = False
        self._connections = connections or share(2)
        self._requests: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._config = _config(bound, streams, self._connections, tls, behind_proxy)
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
            ListenError: the server does not come up.
        """
        self._bound.listen()
        self._requests = asyncio.create_task(self._serve(), name=f"listen {self._bound.address.short}")
        try:
            await self._server.wait_started()
        except Exception as wrong:
            self._bound.close()
            raise ListenError(f"{self._bound.address.short}: the HTTP server does not start: {wrong}") from wrong
        self._bound.take_over()
        self._watching = asyncio.create_task(warn_when_full(self._bound, self._connections, self._log), name="backlog")
        self._log.debug("http server was started", address=self._bound.address.short)

    async def run(self) -> None:
        """Wait until it has stopped."""
        assert self._requests is not None
        await asyncio.shield(self._requests)

    async def drain(self) -> None:
        """Let nobody else in; return when those who are in have asked for something, after a second at most."""
        await drain(self._bound, tls=self._tls)

    def refuse(self) -> None:
        """Accept no more connections; those that are open finish what runs on them."""
        self._refusing = True
        if self._watching is not None:
            self._watching.cancel()
        self._server.shutdown()
        self._bound.refuse()

    def close_after_response(self) -> None:
        """Another server has taken over the address: close each connection behind its next answer.

        A connection that is closed while it is idle may lose the request that is on its way at that moment; one that
        was told with an answer does not. (HTTP/2 has a way to say so at any time, which :meth:`refuse` uses.)
        """
        self._retired = True

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cut them off."""
        await resume_inherited(self._bound)
        if self._requests is not None:
            done, _ = await asyncio.wait([self._requests], timeout=grace)
            if not done:
                self._aborting = True
                cut = [task for task in asyncio.all_tasks() if self._is_request(task)]
                self._log.warning("requests are cut off: the grace period is over", requests=len(cut))
                for task in cut:
                    task.cancel()
                await asyncio.wait([self._requests], timeout=_UNWIND_TIMEOUT)
        self._bound.close()

    async def _serve(self) -> None:
        """The engine ends when the system refuses it something (``accept`` without a free descriptor): that is no
        reason for us to end."""
        while True:
            try:
                await self._server.serve()
            except OSError as wrong:
                if self._refusing or self._watching is None:  # it is not up yet: the start fails
                    raise
                self._log.error(
                    "the HTTP server has failed and its connections are lost; it starts again",
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
        if self._retired and scope["http_version"] == "1.1":
            send = _with_connection_close(send)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._aborting:
                raise
            # Our own doing: a return lets the connection be closed without a traceback.

    def _is_request(self, task: asyncio.Task[Any]) -> bool:
        coroutine = task.get_coro()
        if getattr(coroutine, "cr_code", None) is not HttpListener._request.__code__:
            return False
        frame = getattr(coroutine, "cr_frame", None)
        return frame is not None and frame.f_locals.get("self") is self


def _with_connection_close(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
            message = {**message, "headers": [*kept, (b"connection", b"close")]}
        await send(message)

    return closing


def _config(bound: BoundSockets, streams: int, connections: int, tls: TlsFiles | None, behind_proxy: bool) -> Config:
    return Config(
        bind=tuple(f"fd://{one.fileno()}" for one in bound.sockets),
        lifespan="off",
        access_log=False,
        runtime_threads=1,  # a second one costs more in fights for the GIL than it brings
        certfile=Path(tls.cert) if tls else None,
        keyfile=Path(tls.key) if tls else None,
        ca_certs=Path(tls.root_ca) if tls and tls.client != "none" else None,
        cert_reqs=tls.client if tls else "none",
        limit_connections=connections,
        max_concurrent_streams=streams,
        h2_max_inbound_frame_size=_H2_FRAME_BYTES,
        proxy_protocol="v2" if behind_proxy else "off",
        grpc=True,  # else a request is refused by its content type; what it means is the worker's business
        limit_request_head_size=_HEAD_BYTES,
        limit_request_line=0,
        limit_request_fields=0,
        limit_request_field_size=0,
        max_request_body_size=0,  # limited where it is read, with RoadRunner's answer
        request_policies=(
            RequestPolicy(
                path="/*",
                max_request_body_size=0,
                timeout_request_body_idle=_BODY_TIMEOUT,
                h2_timeout_response_stall=_BODY_TIMEOUT,
            ),
        ),
        timeout_handshake=_FIRST_BYTE_TIMEOUT,
        timeout_request_header=_HEAD_TIMEOUT,
        timeout_request_body_idle=_BODY_TIMEOUT,
        timeout_keep_alive=_KEEP_ALIVE_TIMEOUT,
        timeout_graceful_shutdown=_NO_LIMIT,
    )
