"""Relays over TCP and unix sockets: the server listens once, workers connect and say who they are.

Theory of operation. A connection is nobody's until its hello names a pid. Until then it may send no more than a hello;
each one waits for its own, so a silent, wrong or hostile client loses its own connection and nothing else. Workers
connect in any order, and some before the spawner has asked for them: relays nobody has claimed are kept for a while, a
bounded number of them, and take frames of full size only once claimed.
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

_MAX_UNIDENTIFIED = 1024  # connections that have not said hello; more than any pool has workers
_MAX_UNCLAIMED = 512
_UNCLAIMED_FOR = 10.0  # seconds
_HELLO_TIMEOUT = 60.0  # seconds; a worker may connect first and boot its application before it answers

log = Log("server")


class SocketRelay(Relay):
    """Frames over one connection, small ones until its peer is known.

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
    """Where the workers of a server connect to.

    Args:
        address: ``tcp://host:port`` (no host = all interfaces) or ``unix://path``.
        max_payload: largest payload taken from a worker, bytes.
        uid, gid: who the unix socket is given to, when the workers run as somebody else; -1 = nobody else.
        hello_timeout: seconds a silent connection is kept when no worker is expected.

    Raises:
        RelayError: the address is none.
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
        self._unidentified: dict[Relay, asyncio.TimerHandle] = {}  # in the order they came
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
        """Where a worker on this machine connects to; once started, with the port that was really taken."""
        where = self._where if self._listening is None else self._listening.address
        return str(where.to_connect() if isinstance(where, TcpAddress) else where)

    async def start(self) -> None:
        """Listen. A socket file that nobody listens on any more is replaced; the new one has mode 0600.

        Raises:
            RelayError: the address is taken, or is not ours to take.
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
        """The relay of the worker with this pid, once it has connected and said hello; at most once per pid.

        The relay holds what comes until its callbacks are set.
        """
        wanted: asyncio.Future[Relay] = asyncio.get_running_loop().create_future()
        relay = self._pop_unclaimed(pid)
        if relay is None:
            self._expected[pid] = wanted
        else:
            self._claim(relay, wanted)
        return wanted

    def forget(self, pid: int) -> None:
        """Expect this pid no more: its future is cancelled, a relay it left unclaimed is closed. Idempotent."""
        wanted = self._expected.pop(pid, None)
        if wanted is not None:
            wanted.cancel()
        self._drop_unclaimed(pid)

    async def close(self) -> None:
        """Stop listening, remove the socket file, close every connection that was not claimed; who still expects a
        worker gets a :class:`RelayError`. Idempotent."""
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
                wanted.exception()  # whoever expected it may be gone: no complaint then
        self._expected.clear()

    # -- one connection ------------------------------------------------------------------------------------------------

    def _accept(self, relay: Relay) -> None:
        if self._listening is None:  # accepted in the turn in which the listener was closed
            relay.close()
            return
        if len(self._unidentified) >= _MAX_UNIDENTIFIED:
            self._drop_unidentified(next(iter(self._unidentified)))
        loop = asyncio.get_running_loop()
        self._unidentified[relay] = loop.call_later(self._hello_timeout, self._on_hello_timeout, relay)
        relay.handshake(os.getpid()).add_done_callback(lambda hello: self._on_hello(relay, hello))

    def _on_hello_timeout(self, relay: Relay) -> None:
        if any(not wanted.done() for wanted in self._expected.values()):
            # It may be a worker that still boots; how long that may take is its spawner's business.
            again = asyncio.get_running_loop().call_later(self._hello_timeout, self._on_hello_timeout, relay)
            self._unidentified[relay] = again
            return
        log.warning("a client of the relay did not say who it is", relay=self.address, timeout=self._hello_timeout)
        self._drop_unidentified(relay)

    def _on_hello(self, relay: Relay, hello: asyncio.Future[int]) -> None:
        error = hello.exception()
        if relay not in self._unidentified:  # dropped meanwhile
            return
        if error is not None:
            if isinstance(error, FrameError | RelayError):
                log.warning("a client of the relay is no worker", relay=self.address, error=str(error))
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
            log.warning("a second client of the relay claims to be the same worker", relay=self.address, pid=pid)
            relay.close()
            relay = first
        if len(self._unclaimed) >= _MAX_UNCLAIMED:
            self._drop_unclaimed(next(iter(self._unclaimed)))
        expiry = asyncio.get_running_loop().call_later(_UNCLAIMED_FOR, self._on_unclaimed_timeout, pid)
        self._unclaimed[pid] = relay, expiry

    def _on_unclaimed_timeout(self, pid: int) -> None:
        log.warning(
            "a process that is no child of this server said hello; workers behind a wrapper (sh -c, docker exec, sudo) "
            "have another pid than the command that was started: use `relay: pipes` for them",
            relay=self.address,
            pid=pid,
        )
        self._drop_unclaimed(pid)

    def _drop_unidentified(self, relay: Relay) -> None:
        self._unidentified.pop(relay).cancel()
        relay.close()

    def _pop_unclaimed(self, pid: int) -> Relay | None:
        """What was kept for this pid, unless its peer has gone again: then the pid may be another process by now."""
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
