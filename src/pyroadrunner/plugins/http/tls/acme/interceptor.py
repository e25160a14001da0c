"""tlsalpn-01 on the HTTPS port: handles challenge connections, forwards all others to the engine."""

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

_TIMEOUT = 10.0  # seconds to recognize a connection and to complete the handshake

log = Log("http")


class ChallengeConnection(ForwardingConnection):
    """Reads the first TLS record and handles or forwards the connection.

    Args:
        tls: context of the challenge's handshake.
        engine: ``None`` = HTTPS has not started; other connections are closed.
    """

    def __init__(self, tls: ssl.SSLContext, engine: Upstream | None, closed: Callable[[Any], None]) -> None:
        super().__init__(engine, closed)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._answering = False
        self._late = asyncio.get_running_loop().call_later(_TIMEOUT, self.abort)

    def inspect(self) -> None:
        """Handle the challenge, or forward the connection."""
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
            log.warning("acme: a malformed challenge connection was closed", error=str(wrong))
            self._flush()
            self._close()
        else:
            self._flush()
            self._close()  # the handshake is the whole challenge (RFC 8737 section 3)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())


class ChallengeInterceptor:
    """Accepts all connections while a certificate is being issued.

    Args:
        tls: context of the challenge's handshake.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._upstream: TcpUpstream | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: set[ChallengeConnection] = set()

    def __repr__(self) -> str:
        return f"ChallengeInterceptor(connections={len(self._connections)})"

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application so that it sees the client's address for forwarded connections."""
        self._upstream = TcpUpstream()
        return self._upstream.with_clients(app)

    async def start(self, bound: BoundSockets, engine: int = 0) -> None:
        """Accept connections; forward other clients to the engine on this port of 127.0.0.1 (0 = not started)."""
        if self._upstream is not None:
            self._upstream.port = engine
        self._servers = await bound.serve(self._connected)

    def refuse(self) -> None:
        """Accept no more connections; forwarded ones stay open."""
        for server in self._servers:
            server.close()

    def _connected(self) -> ChallengeConnection:
        connection = ChallengeConnection(self._tls, self._upstream, self._connections.discard)
        self._connections.add(connection)
        return connection
