"""HTTPS on one address, with a certificate that is reloaded while the listener runs.

Theory of operation. The engine reads a certificate once, when it starts. So a new certificate needs a new engine. It
starts beside the old one and gets all new connections from then on (``net/reuseport.py``). The old engine retires: it
closes each of its connections after the next response. Connections that are idle after ``_RETIREMENT`` are closed;
requests that still run then have no time limit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.reuseport import BOTH_ACCEPT, bind_again, steer, steer_back

_INTERVAL = 1.0  # seconds between two checks of the files
_HANDSHAKE_TIMEOUT = 1.0  # seconds for TCP handshakes that have begun
_RETIREMENT = 10.0  # seconds that an engine with the old certificate keeps idle connections

log = Log("http")


class Interceptor(Protocol):
    """Inspects new connections before the engine does."""

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application for forwarded connections, so that it sees the addresses of the real clients."""

    async def start(self, bound: BoundSockets, engine: int) -> None:
        """Accept connections, and forward those for the engine to its port ``engine`` of 127.0.0.1."""

    def refuse(self) -> None:
        """Accept no more connections; forwarded connections continue."""


class TlsListener:
    """Serves one ASGI application with the current certificate of the files.

    Args:
        files: the checked files.
        limits: see :class:`HttpListener`; the connections are those of one engine.
        retirement: seconds that idle connections of an old certificate stay open.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        files: TlsFiles,
        *,
        streams: int,
        limits: Limits | None = None,
        tick: float = _INTERVAL,
        retirement: float = _RETIREMENT,
    ) -> None:
        self._app = app
        self._bound = bound
        self._files = files
        self._streams = streams
        self._limits = limits
        self._every = tick
        self._retirement = 0.0 if BOTH_ACCEPT else retirement
        self._stamp = files.stamp()
        self._current = self._listener(bound, app)
        self._retired: list[_Retired] = []
        self._changing = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"TlsListener({self._bound.address.short}, retired={len(self._retired)})"

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            ListenError: the server fails to start.
        """
        await self._current.start()
        self._ticking = asyncio.create_task(self._tick(), name=f"certificate of {self._bound.address.short}")
        takeover.register_holder(self)

    async def run(self) -> None:
        """Wait until it has stopped."""
        served = None
        while served is not self._current:
            served = self._current
            await served.run()

    async def reload(self) -> None:
        """Use the files for new connections, if they have changed. Invalid files are logged, and the old certificate
        stays in use."""
        async with self._changing:
            stamp = self._files.stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                for warning in self._files.check():
                    log.warning(warning)
                await self._replace()
            except RoadRunnerError as wrong:
                log.error("the new certificate can't be loaded; the old one stays in use", error=str(wrong))
            else:
                log.info("certificate loaded", address=self._bound.address.short, cert=self._files.cert)

    def close_after_response(self) -> None:
        """Close each connection after its next response, since another server has taken over the address. Certificates
        are no longer reloaded: a second engine here would take connections from the other server."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._current.close_after_response()

    @asynccontextmanager
    async def intercept(self, interceptor: Interceptor) -> AsyncIterator[None]:
        """Let an interceptor inspect new connections first, within this context. No certificate is loaded meanwhile.

        Raises:
            ListenError: the address can't be shared; new connections come here as before.
        """
        if BOTH_ACCEPT:
            raise ListenError(f"{self._bound.address.short} can't be shared on this system")
        async with self._changing:
            self.keep_newest_socket()
            inner = BoundSockets(TcpAddress("127.0.0.1", 0))  # the engine speaks TLS on TCP alone
            port = inner.port
            engine = self._listener(inner, interceptor.with_clients(self._app))
            await engine.start()
            second = _Retired(engine, math.inf, apart=True)
            self._retired.append(second)
            try:
                bound = bind_again(self._bound)
                try:
                    await interceptor.start(bound, port)
                    steer(bound)
                    yield
                finally:
                    steer_back(self._bound)
                    await asyncio.sleep(_HANDSHAKE_TIMEOUT)
                    interceptor.refuse()
                    bound.close()
            finally:
                engine.close_after_response()
                second.until = asyncio.get_running_loop().time() + self._retirement

    def keep_newest_socket(self) -> None:
        """Stop the engines with an old certificate: another listener is about to use the port, and at most two may."""
        for old in self._retired:
            if not old.apart:
                old.refuse()

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await self._current.drain()

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._current.refuse()
        for old in self._retired:
            old.refuse()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""
        listeners = [self._current, *(old.listener for old in self._retired)]
        await asyncio.gather(*(listener.finish(grace) for listener in listeners))

    def _listener(self, bound: BoundSockets, app: ASGIApp) -> HttpListener:
        return HttpListener(app, bound, streams=self._streams, limits=self._limits, tls=self._files)

    async def _replace(self) -> None:
        self.keep_newest_socket()
        bound = bind_again(self._bound)
        listener = self._listener(bound, self._app)
        await listener.start()
        steer(bound)
        self._current.close_after_response()
        until = asyncio.get_running_loop().time() + self._retirement
        self._retired.append(_Retired(self._current, until))
        self._current, self._bound = listener, bound

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._every)
            await self.reload()
            for old in self._retired:
                if old.until <= loop.time():
                    old.refuse()
            for old in [old for old in self._retired if old.listener.done]:
                self._retired.remove(old)
                await old.listener.finish(0)


@dataclass(slots=True)
class _Retired:
    """An engine that gets no new connections.

    Attributes:
        until: time of the loop at which its idle connections are closed.
        apart: it listens on a port of its own.
    """

    listener: HttpListener
    until: float
    apart: bool = False
    refused: bool = False

    def refuse(self) -> None:
        if not self.refused:
            self.refused = True
            self.listener.refuse()
