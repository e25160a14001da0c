"""Relays over TCP and unix sockets: the server listens once, workers connect and identify themselves by pid.

Theory of operation. A connection is unidentified until its hello names a pid. Until then it may send only a hello. Each
connection waits for its own hello, so a silent, faulty or hostile client can only lose its own connection. Workers
connect in any order, and some before the spawner expects them. A bounded number of unclaimed relays is kept for a
while; they accept frames of full size only once claimed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

from pyroadrunner.goridge.errors import FrameError, RelayError
from pyroadrunner.goridge.handshake import MAX_HELLO
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.log import Log
from pyroadrunner.net.address import InvalidAddress, TcpAddress, UnixAddress, parse_address
from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets, listen
from pyroadrunner.net.errors import ListenError

_MAX_UNIDENTIFIED = 1024  # connections that have not sent a hello; more than any pool has workers
_MAX_UNCLAIMED = 512
_UNCLAIMED_FOR = 10.0  # seconds
_HELLO_TIMEOUT = 60.0  # seconds; a worker may connect first and boot its application before it replies

log = Log("server")


class SocketRelay(Relay):
    """Frames over one connection; only small ones until the peer is identified.

    Args:
        on_made: called once with the relay when it is connected.
    """

    def __init__(self, on_made: Callable[[SocketRelay], None]) -> None:
        super().__init__(MAX_HELLO)
        self._on_made = on_made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.attach_sink(cast("asyncio.WriteTransport", transport))
        self._on_made(self)


class SocketListener:
    """Accepts the connections of a server's workers.

    Args:
        address: ``tcp://host:port`` (no host = all interfaces) or ``unix://path``.
        max_payload: largest payload accepted from a worker, in bytes.
        uid, gid: owner of the unix socket, if the workers run as another user; -1 = unchanged.
        hello_timeout: seconds that a silent connection is kept while no worker is expected.

    Raises:
        RelayError: the address is invalid.
    """

    def __init__(
        self, address: str, max_payload: int, *, uid: int = -1, gid: int = -1, hello_timeout: float = _HELLO_TIMEOUT
    ) -> None:
        try:
            self._where = parse_address(address)
        except InvalidAddress:
            raise RelayError("invalid DSN (tcp://:6001, unix://file.sock)") from None
        self._max_payload = max_payload
        self._owner = (uid, gid)
        self._hello_timeout = hello_timeout
        self._listening: BoundSockets | None = None
        self._servers: list[asyncio.Server] = []
        self._unidentified: dict[Relay, asyncio.TimerHandle] = {}  # in the order of their connects
        self._unclaimed: dict[int, tuple[Relay, asyncio.TimerHandle]] = {}  # by pid
        self._expected: dict[int, asyncio.Future[Relay]] = {}  # by pid

    def __repr__(self) -> str:
        state = "listening" if self._listening else "closed"
        return (
            f"SocketListener({self.address}, {state}, expected={len(self._expected)}, "
            f"unclaimed={len(self._unclaimed)}, unidentified={len(self._unidentified)})"
        )

    @property
    def address(self) -> str:
        """The address that local workers connect to; once started, with the port in use."""
        where = self._where if self._listening is None else self._listening.address
        return str(where.to_connect() if isinstance(where, TcpAddress) else where)

    async def start(self) -> None:
        """Listen. Replaces a stale socket file; the new one has mode 0600.

        Raises:
            RelayError: the address is in use or not permitted.
        """
        try:
            self._listening = listening = listen(self._where, "server.relay")
        except ListenError as error:
            raise RelayError(str(error)) from error
        if isinstance(self._where, UnixAddress) and self._owner != (-1, -1):
            try:
                os.chown(self._where.path, *self._owner)
            except OSError as error:
                await self.close()
                raise RelayError(
                    f"server.relay: cannot give {self.address} to the user of the workers: {error.strerror}"
                ) from error
        loop = asyncio.get_running_loop()
        for sock in listening.sockets:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections inherit it
            create_server = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await create_server(lambda: SocketRelay(self._accept), sock=sock, backlog=BACKLOG))

    def expect(self, pid: int) -> asyncio.Future[Relay]:
        """A future with the relay of the worker with this pid, done when the worker has connected and sent its hello.
        Call it at most once per pid.

        The relay keeps incoming frames until its callbacks are set.
        """
        wanted: asyncio.Future[Relay] = asyncio.get_running_loop().create_future()
        relay = self._pop_unclaimed(pid)
        if relay is None:
            self._expected[pid] = wanted
        else:
            self._claim(relay, wanted)
        return wanted

    def forget(self, pid: int) -> None:
        """No longer expect this pid: cancel its future, close its unclaimed relay. Idempotent."""
        wanted = self._expected.pop(pid, None)
        if wanted is not None:
            wanted.cancel()
        self._drop_unclaimed(pid)

    async def close(self) -> None:
        """Stop listening, remove the socket file, close all unclaimed connections. Pending futures of :meth:`expect`
        get a :class:`RelayError`. Idempotent."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        for relay in list(self._unidentified):
            self._drop_unidentified(relay)
        for pid in list(self._unclaimed):
            self._drop_unclaimed(pid)
        for wanted in self._expected.values():
            if not wanted.done():
                wanted.set_exception(RelayError("the relay's listener was closed"))
                wanted.exception()  # no "never retrieved" warning: the caller may have stopped waiting
        self._expected.clear()

    # -- one connection ------------------------------------------------------------------------------------------------

    def _accept(self, relay: Relay) -> None:
        if self._listening is None:  # accepted in the loop iteration in which the listener was closed
            relay.close()
            return
        if len(self._unidentified) >= _MAX_UNIDENTIFIED:
            self._drop_unidentified(next(iter(self._unidentified)))
        loop = asyncio.get_running_loop()
        self._unidentified[relay] = loop.call_later(self._hello_timeout, self._on_hello_timeout, relay)
        relay.handshake(os.getpid()).add_done_callback(lambda hello: self._on_hello(relay, hello))

    def _on_hello_timeout(self, relay: Relay) -> None:
        if any(not wanted.done() for wanted in self._expected.values()):
            # It may be a worker that still boots; its spawner limits that time.
            again = asyncio.get_running_loop().call_later(self._hello_timeout, self._on_hello_timeout, relay)
            self._unidentified[relay] = again
            return
        log.warning("a relay client sent no handshake in time", relay=self.address, timeout=self._hello_timeout)
        self._drop_unidentified(relay)

    def _on_hello(self, relay: Relay, hello: asyncio.Future[int]) -> None:
        error = hello.exception()
        if relay not in self._unidentified:  # dropped meanwhile
            return
        if error is not None:
            if isinstance(error, FrameError | RelayError):
                log.warning("a relay client is not a worker", relay=self.address, error=str(error))
            self._drop_unidentified(relay)
            return
        self._unidentified.pop(relay).cancel()
        pid = hello.result()
        wanted = self._expected.pop(pid, None)
        if wanted is not None and not wanted.done():
            self._claim(relay, wanted)
        else:
            self._keep(pid, relay)

    def _claim(self, relay: Relay, wanted: asyncio.Future[Relay]) -> None:
        relay.limit_payload(self._max_payload)
        wanted.set_result(relay)

    def _keep(self, pid: int, relay: Relay) -> None:
        first = self._pop_unclaimed(pid)
        if first is not None:
            log.warning("a second relay client claims the pid of another one", relay=self.address, pid=pid)
            relay.close()
            relay = first
        if len(self._unclaimed) >= _MAX_UNCLAIMED:
            self._drop_unclaimed(next(iter(self._unclaimed)))
        expiry = asyncio.get_running_loop().call_later(_UNCLAIMED_FOR, self._on_unclaimed_timeout, pid)
        self._unclaimed[pid] = relay, expiry

    def _on_unclaimed_timeout(self, pid: int) -> None:
        log.warning(
            "a relay client has a pid that is not a worker of this server; workers behind a wrapper (sh -c, docker "
            "exec, sudo) have another pid than the started command: use `relay: pipes` for them",
            relay=self.address,
            pid=pid,
        )
        self._drop_unclaimed(pid)

    def _drop_unidentified(self, relay: Relay) -> None:
        self._unidentified.pop(relay).cancel()
        relay.close()

    def _pop_unclaimed(self, pid: int) -> Relay | None:
        """The kept relay of this pid; ``None`` if its peer has closed it: the pid may be another process by now."""
        relay, expiry = self._unclaimed.pop(pid, (None, None))
        if expiry is not None:
            expiry.cancel()
        if relay is not None and relay.lost:
            relay.close()
            return None
        return relay

    def _drop_unclaimed(self, pid: int) -> None:
        relay = self._pop_unclaimed(pid)
        if relay is not None:
            relay.close()
