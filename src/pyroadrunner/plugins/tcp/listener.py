"""One server: its sockets, its connections and their bounds."""

from __future__ import annotations

import asyncio
from functools import partial

from pyroadrunner.contracts import WorkerPool
from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.plugins.tcp.config import ServerConfig
from pyroadrunner.plugins.tcp.connection import Connection
from pyroadrunner.plugins.tcp.connections import CLOSE_TIMEOUT, Connections
from pyroadrunner.plugins.tcp.event_log import log
from pyroadrunner.plugins.tcp.events import Event
from pyroadrunner.plugins.tcp.tls import CLIENT_AUTH, make_context

_HANDSHAKE_TIMEOUT = 10.0  # seconds for a TLS handshake
_SHUTDOWN_TIMEOUT = 1.0  # seconds for the end of TLS


class Listener:
    """Accepts the connections of one server.

    Args:
        name: of the server.
        read_ahead: bytes, see :attr:`ServerConfig.read_buf_size`.
        servers: how many servers share the limit of open files.

    Attributes:
        pool: of all servers.
        stopping: the server stops: each connection is closed after its running event.
        postponed: connections whose CLOSE event waits for room in the queue of the pool.
        close_timeout: seconds a worker may take for a CLOSE event.
        events: events so far, by their place.
        errors: events that failed.
        refusals: what was refused or cut off, by reason.
        accepted: connections so far.
        received, sent: bytes of connections that are gone.

    Raises:
        ListenError: the address can't be bound.
        TlsError: the TLS files can't be used.
    """

    pool: WorkerPool

    def __init__(
        self, name: str, config: ServerConfig, connections: Connections, *, read_ahead: int, servers: int
    ) -> None:
        self.name = name
        self.loop = connections.loop
        self.delimiter = config.end
        self.read_ahead = read_ahead
        self.max_message = config.max_message_bytes
        self.idle_timeout = config.idle_timeout
        self.write_timeout = config.write_timeout
        self.stopping = False
        self.postponed = connections.postponed
        self.close_timeout = CLOSE_TIMEOUT
        self.events = [0] * len(Event)
        self.refusals: dict[str, int] = {}
        self.errors = 0
        self.accepted = 0
        self.received = 0
        self.sent = 0
        self.open: set[Connection] = set()
        self._limit = config.max_connections or share(2 * servers)
        self._all = connections
        self._servers: list[asyncio.Server] = []
        self._files = _files(name, config)
        if self._files is not None:
            for warning in self._files.check():
                log.warning(warning)
            self._stamp = self._files.stamp()
        self._bound = BoundSockets(parse_endpoint(config.addr), f"tcp.servers.{name}.addr")

    def __repr__(self) -> str:
        return f"Listener({self.name!r}, {self._bound.address.short}, connections={len(self.open)})"

    @property
    def address(self) -> str:
        """The address in use, also if the config says port 0."""
        return self._bound.address.short

    @property
    def port(self) -> int:
        """The port in use, also if the config says 0."""
        return self._bound.port

    async def start(self, pool: WorkerPool) -> None:
        """Return once connections are accepted."""
        self.pool = pool
        self._bound.listen()
        await self._serve()
        self._bound.take_over()
        log.debug("tcp server was started", server=self.name, address=self._bound.address.short)

    async def reload_certificates(self) -> None:
        """Use the TLS files for new connections, if they have changed. Invalid files are logged, and the old
        certificate stays in use."""
        if self._files is None or self.stopping or (stamp := self._files.stamp()) == self._stamp:
            return
        self._stamp = stamp
        old = self._servers
        try:
            for warning in self._files.check():
                log.warning(warning)
            await self._serve()
        except TlsError as wrong:
            log.error("the new certificate can't be loaded; the old one stays in use", error=str(wrong))
            return
        for server in old:
            server.close()
        log.info("certificate loaded", server=self.name, cert=self._files.cert)

    def refuse(self) -> None:
        """Accept no more connections."""
        self.stopping = True
        for server in self._servers:
            server.close()
        self._bound.refuse()

    def close(self) -> None:
        """Close the sockets. Idempotent."""
        self._bound.close()

    async def _serve(self) -> None:
        tls = make_context(self._files) if self._files is not None else None
        accept = partial(Connection, self)
        if tls is None:
            self._servers = await self._bound.serve(accept)
        else:
            self._servers = await self._bound.serve(
                accept, ssl=tls, ssl_handshake_timeout=_HANDSHAKE_TIMEOUT, ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT
            )

    # -- for its connections -------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        """A client has connected. Returns whether it may stay."""
        if self.stopping:
            return False
        if len(self.open) >= self._limit:
            self.refused(connection, "max_connections", "connection limit reached; new connections are closed")
            return False
        self.accepted += 1
        self.open.add(connection)
        self._all.add(connection)
        return True

    def lost(self, connection: Connection) -> None:
        """A connection is gone; its CLOSE event may still be due."""
        if connection in self.open:
            self.open.discard(connection)
            self.received += connection.received
            self.sent += connection.sent

    def over(self, connection: Connection) -> None:
        """A connection is gone, and no event of it follows."""
        self._all.discard(connection)

    def failed(self, connection: Connection, event: Event | None, error: Exception) -> None:
        """An event of a connection failed, so it is closed."""
        self.errors += 1
        self._all.log.failed(
            error,
            self.loop.time(),
            event=event.value if event is not None else "",
            server=self.name,
            remote_addr=connection.remote_addr,
            uuid=connection.uuid,
        )

    def refused(self, connection: Connection, reason: str, text: str) -> None:
        """A connection is closed because of a limit.

        Args:
            reason: the key of the limit.
            text: for the log; empty = it is normal.
        """
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        if text:
            self._all.log.refused(text, self.loop.time(), server=self.name, limit=f"tcp.servers.{self.name}.{reason}")

    def send_postponed(self) -> None:
        """Send one of these events."""
        self._all.send_postponed()


def _files(name: str, config: ServerConfig) -> TlsFiles | None:
    tls = config.tls
    if tls is None or not config.uses_tls:
        return None
    client = CLIENT_AUTH.get(tls.client_auth_type, "none")
    return TlsFiles(tls.cert, tls.key, tls.root_ca, client, section=f"tcp.servers.{name}.tls")
