"""Where the engine is reached, and how it learns who the client is: it sees us in his place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any, Protocol

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.plugins.http.protocols.forwarding.proxy_protocol import preamble


class Upstream(Protocol):
    """Who takes the connections that are passed on."""

    def preamble(self, client: asyncio.Transport) -> bytes:
        """What it expects before the client's first byte."""

    async def connect(self, tunnel: asyncio.Protocol, client: asyncio.Transport) -> None:
        """Open a connection for a client.

        Raises:
            OSError: the engine is not there.
        """

    def closed(self, tunnel: asyncio.Protocol) -> None:
        """That connection is over."""


class UnixUpstream:
    """On a unix socket that only we can reach, so it may believe a preamble.

    Args:
        path: of the socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"UnixUpstream({self._path})"

    def preamble(self, client: asyncio.Transport) -> bytes:
        """The PROXY protocol's."""
        return preamble(
            client.get_extra_info("socket").family,
            client.get_extra_info("peername"),
            client.get_extra_info("sockname"),
        )

    async def connect(self, tunnel: asyncio.Protocol, client: asyncio.Transport) -> None:
        """Open a connection for a client.

        Raises:
            OSError: the engine is not there.
        """
        await asyncio.get_running_loop().create_unix_connection(lambda: tunnel, self._path)

    def closed(self, tunnel: asyncio.Protocol) -> None:
        """Nothing was kept."""


class TcpUpstream:
    """On a port of 127.0.0.1. Everybody on this machine can reach that, so a preamble could be anybody's; instead the
    port of our end tells :meth:`with_clients` who the client is, and who comes in another way is seen as he is.

    Attributes:
        port: of the engine.
    """

    def __init__(self) -> None:
        self.port = 0
        self._clients: dict[int, tuple[Any, Any]] = {}  # port of our end -> client, and the address he connected to
        self._local_ports: dict[asyncio.Protocol, int] = {}

    def __repr__(self) -> str:
        return f"TcpUpstream({self.port}, clients={len(self._clients)})"

    def with_clients(self, app: ASGIApp) -> ASGIApp:
        """An application for the engine: it is told who the client is, and which address he wanted."""

        def with_client(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            seen = scope.get("client")
            known = self._clients.get(seen[1]) if seen else None
            if known is not None:
                scope["client"], scope["server"] = known
            return app(scope, receive, send)

        return with_client

    def preamble(self, client: asyncio.Transport) -> bytes:
        """None."""
        return b""

    async def connect(self, tunnel: asyncio.Protocol, client: asyncio.Transport) -> None:
        """Open a connection for a client.

        Raises:
            OSError: the engine is not there.
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
        """That connection is over."""
        end = self._local_ports.pop(tunnel, None)
        if end is not None:
            del self._clients[end]
