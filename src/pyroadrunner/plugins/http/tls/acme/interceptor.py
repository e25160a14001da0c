"""tlsalpn-01 on the port of HTTPS: the server's question is answered, all other connections go on to the engine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.protocols.forwarding.connection import ForwardingConnection
from pyroadrunner.plugins.http.protocols.forwarding.upstream import TcpUpstream, Upstream
from pyroadrunner.plugins.http.tls.acme.client_hello import ConnectionKind, classify

_TIMEOUT = 10.0  # seconds until it has to be clear whose a connection is; a handshake may take as long

log = Log("http")


class ChallengeConnection(ForwardingConnection):
    """Reads the first record.

    Args:
        tls: of the handshake that is the answer.
        engine: ``None`` = there is none yet, and who asks for something else is turned away.
    """

    def __init__(self, tls: ssl.SSLContext, engine: Upstream | None, closed: Callable[[Any], None]) -> None:
        super().__init__(engine, closed)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._answering = False
        self._late = asyncio.get_running_loop().call_later(_TIMEOUT, self.abort)

    def inspect(self) -> None:
        """Answer, or pass on."""
        if not self._answering:
            match classify(self._buffer):
                case ConnectionKind.UNKNOWN:
                    return
                case ConnectionKind.OTHER:
                    self._late.cancel()
                    self._pass_on() if self._upstream is not None else self._close()
                    return
                case ConnectionKind.ACME:
                    self._answering = True
        self._incoming.write(self._buffer)
        self._buffer.clear()
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as wrong:
            log.warning("acme: a question was not understood", error=str(wrong))
            self._flush()
            self._close()
        else:
            self._flush()
            self._close()  # the handshake is all there is to it (RFC 8737 section 3)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())


class ChallengeInterceptor:
    """All connections that come in while a certificate is being had.

    Args:
        tls: of the handshake that is the answer.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._upstream: TcpUpstream | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: set[ChallengeConnection] = set()

    def __repr__(self) -> str:
        return f"ChallengeInterceptor(connections={len(self._connections)})"

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """The application for connections that are passed on, told whose they are."""
        self._upstream = TcpUpstream()
        return self._upstream.with_clients(app)

    async def start(self, bound: BoundSockets, engine: int = 0) -> None:
        """Accept connections; those that are not for us go to the engine on this port of 127.0.0.1, if there is one."""
        if self._upstream is not None:
            self._upstream.port = engine
        self._servers = await bound.serve(self._connected)

    def refuse(self) -> None:
        """Accept no more; those that were passed on go on."""
        for server in self._servers:
            server.close()

    def _connected(self) -> ChallengeConnection:
        connection = ChallengeConnection(self._tls, self._upstream, self._connections.discard)
        self._connections.add(connection)
        return connection
