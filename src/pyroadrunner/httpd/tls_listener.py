"""HTTPS on one address, with a certificate that is reloaded while the listener runs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.renewable_listener import HANDSHAKE_TIMEOUT, RenewableListener, RetiredEngine
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.reuseport import BOTH_ACCEPT, bind_again, steer, steer_back


class Interceptor(Protocol):
    """Inspects new connections before the engine does."""

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application for forwarded connections, so that it sees the addresses of the real clients."""

    async def start(self, bound: BoundSockets, engine: int) -> None:
        """Accept connections, and forward those for the engine to its port ``engine`` of 127.0.0.1."""

    def refuse(self) -> None:
        """Accept no more connections; forwarded connections continue."""


class TlsListener(RenewableListener):
    """Serves one ASGI application with the current certificate of the files.

    Args:
        files: the checked files; the other arguments are those of :class:`RenewableListener`.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        files: TlsFiles,
        *,
        streams: int,
        limits: Limits | None = None,
        date: bool = True,
        channel: str = "http",
        max_age: float = 0.0,
        age_grace: float = 0.0,
    ) -> None:
        super().__init__(
            app,
            bound,
            streams=streams,
            limits=limits,
            tls=files,
            date=date,
            channel=channel,
            max_age=max_age,
            age_grace=age_grace,
        )
        self._files = files
        self._stamp = files.stamp()

    async def check(self) -> None:
        await self.reload()

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
                    self._log.warning(warning)
                await self._replace(self._retirement)
            except RoadRunnerError as wrong:
                self._log.error("the new certificate can't be loaded; the old one stays in use", error=str(wrong))
            else:
                self._log.info("certificate loaded", address=self._bound.address.short, cert=self._files.cert)

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
            second = RetiredEngine(engine, math.inf, apart=True)
            self._retired.append(second)
            try:
                bound = bind_again(self._bound)
                try:
                    await interceptor.start(bound, port)
                    steer(bound)
                    yield
                finally:
                    steer_back(self._bound)
                    await asyncio.sleep(HANDSHAKE_TIMEOUT)
                    interceptor.refuse()
                    bound.close()
            finally:
                engine.close_after_response()
                second.until = asyncio.get_running_loop().time() + self._retirement
