"""``http.http3``: the listener for QUIC connections."""

from __future__ import annotations

import asyncio
import errno
import socket

from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

from pyroadrunner.asgi import STOPPED, ASGIApp
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.http.protocols.http3.connection import Http3Connection

_TICK = 1.0  # seconds between checks of the certificate files
_LAST_SECONDS = 1.0  # for cancelled requests to unwind
_BUFFER = 4 << 20  # size of the kernel's receive buffer, in bytes

log = Log("http")


class Http3Listener:
    """Serves one ASGI application over HTTP/3.

    Args:
        listening: a bound UDP socket; see :func:`udp_socket`.
        files: the certificate files.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket, files: TlsFiles) -> None:
        self._app = app
        self._socket = listening
        self._files = files
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        self._running: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._server: QuicServer | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        return f"Http3Listener({self._socket}, running={len(self._running)})"

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            TlsError: the certificate can't be used.
        """
        host, port = self._socket.getsockname()[:2]
        stamp = self._load()
        loop = asyncio.get_running_loop()

        def connection(quic: object, stream_handler: object = None) -> Http3Connection:
            return Http3Connection(
                quic,  # type: ignore[arg-type]  # aioquic's factory is an untyped Callable
                stream_handler,
                app=self._app,
                server=(host, port),
                running=self._running,
                refusing=lambda: self._refusing,
            )

        _, self._server = await loop.create_datagram_endpoint(
            lambda: QuicServer(configuration=self._configuration, create_protocol=connection), sock=self._socket
        )
        self._ticking = asyncio.create_task(self._tick(stamp), name="certificate of http3")
        log.debug("http3 server was started", address=f"{host}:{port}")

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        await self._over.wait()

    def close_after_response(self) -> None:
        """Do nothing: aioquic can't announce the end of a connection."""

    async def drain(self) -> None:
        """Do nothing: a QUIC connection has no TCP handshake; it begins with its first packet."""

    def refuse(self) -> None:
        """Refuse new requests; running requests continue."""
        self._refusing = True
        if self._ticking is not None:
            self._ticking.cancel()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace)
            if late:
                log.warning("grace period over; cancelling the remaining requests", requests=len(late))
                for task in late:
                    task.cancel(STOPPED)
                await asyncio.wait(late, timeout=_LAST_SECONDS)
        if self._server is not None:
            self._server.close()
        self._over.set()

    def _load(self) -> object:
        stamp = self._files.stamp()
        self._files.check()
        self._configuration.load_cert_chain(self._files.cert, self._files.key)
        return stamp

    async def _tick(self, stamp: object) -> None:
        """Load a changed certificate. New connections use it; a connection keeps the certificate it began with."""
        while True:
            await asyncio.sleep(_TICK)
            if self._files.stamp() != stamp:
                stamp = self._files.stamp()
                try:
                    self._load()
                except (RoadRunnerError, ValueError) as wrong:
                    log.error("http3: the new certificate can't be loaded; the old one stays in use", error=str(wrong))


def udp_socket(address: TcpAddress) -> socket.socket:
    """A UDP socket bound to the first address of a host.

    During a takeover from another process of this server (SIGUSR2), this process receives all datagrams from now on.
    The other process's connections are lost, and their clients reconnect.

    Raises:
        ListenError: the address can't be bound.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(
            address.host or "0.0.0.0", address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            takeover.prepare_bind(made)
            made.bind(where)
            takeover.register(made)
            takeover.steer(made)
        except OSError:
            made.close()
            raise
    except OSError as wrong:
        in_use = wrong.errno == errno.EADDRINUSE
        why = "is already in use (UDP)" if in_use else f"can't be listened on: {wrong.strerror}"
        raise ListenError(f"http.http3.address {address.short} {why}") from wrong
    return made
