"""How to connect to the engine, and how the engine learns the client's address although it sees only us."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any, Protocol

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send


class Upstream(Protocol):
    """Accepts forwarded connections."""

    async def connect(self, tunnel: asyncio.Protocol, client: asyncio.Transport) -> None:
        """Open a connection for a client.

        Raises:
            OSError: the engine is not reachable.
        """

    def closed(self, tunnel: asyncio.Protocol) -> None:
        """The connection has been closed."""


class TcpUpstream:
    """An engine on a port of 127.0.0.1. Every local process can connect to it, so an address that it sends can't be
    trusted. The port of our end identifies the client for :meth:`with_clients`; other connections keep their own
    address.

    Attributes:
        port: of the engine.
    """

    def __init__(self) -> None:
        self.port = 0
        self._clients: dict[int, tuple[Any, Any]] = {}  # our port -> client, and the address it used
        self._local_ports: dict[asyncio.Protocol, int] = {}

    def __repr__(self) -> str:
        return f"TcpUpstream({self.port}, clients={len(self._clients)})"

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """Wrap the engine's application: set the client's address and the address it connected to."""

        def with_client(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            seen = scope.get("client")
            known = self._clients.get(seen[1]) if seen else None
            if known is not None:
                scope["client"], scope["server"] = known
            return app(scope, receive, send)

        return with_client

    async def connect(self, tunnel: asyncio.Protocol, client: asyncio.Transport) -> None:
        """Open a connection for a client.

        Raises:
            OSError: the engine is not reachable.
        """
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", self.port))
            end = sock.getsockname()[1]
            self._clients[end] = tuple(client.get_extra_info(name)[:2] for name in ("peername", "sockname"))
            self._local_ports[tunnel] = end
            await loop.create_connection(lambda: tunnel, sock=sock)
        except BaseException:
            self.closed(tunnel)
            sock.close()
            raise

    def closed(self, tunnel: asyncio.Protocol) -> None:
        """The connection has been closed."""
        end = self._local_ports.pop(tunnel, None)
        if end is not None:
            del self._clients[end]
