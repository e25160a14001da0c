"""Relays over TCP and unix sockets: the server listens once, workers connect and say who they are.

Theory of operation. A connection is nobody's until its hello names a pid. Until then it may send no more than a hello;
each one waits for its own, so a silent, wrong or hostile client loses its own connection and nothing else. Workers
connect in any order, and some before the spawner has asked for them: relays nobody has claimed are kept for a while, a
bounded number of them, and take frames of full size only once claimed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
from collections.abc import Callable
from typing import cast

from pyroadrunner.goridge.errors import FrameError, RelayError
from pyroadrunner.goridge.handshake import MAX_HELLO
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.log import Log

_MAX_STRANGERS = 1024  # connections that have not said hello; more than any pool has workers
_MAX_UNCLAIMED = 512
_UNCLAIMED_FOR = 10.0  # seconds
_HELLO_TIMEOUT = 60.0  # seconds; a worker may connect first and boot its application before it answers
_BACKLOG = 1024
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)

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
        self._where = _parse(address)
        self._max_payload = max_payload
        self._owner = (uid, gid)
        self._hello_timeout = hello_timeout
        self._server: asyncio.Server | None = None
        self._socket_file: os.stat_result | None = None
        self._strangers: dict[Relay, asyncio.TimerHandle] = {}  # in the order they came
        self._unclaimed: dict[int, tuple[Relay, asyncio.TimerHandle]] = {}  # by pid
        self._expected: dict[int, asyncio.Future[Relay]] = {}  # by pid

    def __repr__(self) -> str:
        state = "listening" if self._server else "closed"
        return (
            f"SocketListener({self.address}, {state}, expected={len(self._expected)}, "
            f"unclaimed={len(self._unclaimed)}, strangers={len(self._strangers)})"
        )

    @property
    def address(self) -> str:
        """Where a worker on this machine connects to; once started, with the port that was really taken."""
        if isinstance(self._where, str):
            return f"unix://{self._where}"
        host, port = self._where
        if self._server is not None:
            port = self._server.sockets[0].getsockname()[1]
        host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    async def start(self) -> None:
        """Listen. A socket file that nobody listens on any more is replaced; the new one has mode 0600.

        Raises:
            RelayError: the address is taken, or is not ours to take.
        """
        try:
            sock = _listen_unix(self._where, self._owner) if isinstance(self._where, str) else _listen_tcp(*self._where)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                reason = "the address is in use by another process"
            raise RelayError(f"server.relay: cannot listen on {self.address}: {reason}") from error
        if isinstance(self._where, str):
            self._socket_file = os.stat(self._where)
        loop = asyncio.get_running_loop()
        create_server = loop.create_unix_server if isinstance(self._where, str) else loop.create_server
        self._server = await create_server(lambda: SocketRelay(self._accept), sock=sock, backlog=_BACKLOG)

    def expect(self, pid: int) -> asyncio.Future[Relay]:
        """The relay of the worker with this pid, once it has connected and said hello; at most once per pid.

        The relay holds what comes until its callbacks are set.
        """
        wanted: asyncio.Future[Relay] = asyncio.get_running_loop().create_future()
        kept = self._unclaimed.pop(pid, None)
        if kept is not None:
            relay, expiry = kept
            expiry.cancel()
            self._give(relay, wanted)
        else:
            self._expected[pid] = wanted
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
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._remove_socket_file()
        for relay in list(self._strangers):
            self._drop_stranger(relay)
        for pid in list(self._unclaimed):
            self._drop_unclaimed(pid)
        for wanted in self._expected.values():
            if not wanted.done():
                wanted.set_exception(RelayError("the relay's listener was closed"))
                wanted.exception()  # whoever expected it may be gone: no complaint then
        self._expected.clear()

    # -- one connection ------------------------------------------------------------------------------------------------

    def _accept(self, relay: Relay) -> None:
        if self._server is None:  # accepted in the turn in which the listener was closed
            relay.close()
            return
        if len(self._strangers) >= _MAX_STRANGERS:
            self._drop_stranger(next(iter(self._strangers)))
        loop = asyncio.get_running_loop()
        self._strangers[relay] = loop.call_later(self._hello_timeout, self._too_late, relay)
        relay.greet(os.getpid()).add_done_callback(lambda hello: self._greeted(relay, hello))

    def _too_late(self, relay: Relay) -> None:
        if any(not wanted.done() for wanted in self._expected.values()):
            # It may be a worker that still boots; how long that may take is its spawner's business.
            again = asyncio.get_running_loop().call_later(self._hello_timeout, self._too_late, relay)
            self._strangers[relay] = again
            return
        log.warning("a client of the relay did not say who it is", relay=self.address, timeout=self._hello_timeout)
        self._drop_stranger(relay)

    def _greeted(self, relay: Relay, hello: asyncio.Future[int]) -> None:
        error = hello.exception()
        if relay not in self._strangers:  # dropped meanwhile
            return
        if error is not None:
            if isinstance(error, FrameError | RelayError):
                log.warning("a client of the relay is no worker", relay=self.address, error=str(error))
            self._drop_stranger(relay)
            return
        self._strangers.pop(relay).cancel()
        pid = hello.result()
        wanted = self._expected.pop(pid, None)
        if wanted is not None and not wanted.done():
            self._give(relay, wanted)
        else:
            self._keep(pid, relay)

    def _give(self, relay: Relay, wanted: asyncio.Future[Relay]) -> None:
        relay.limit_payload(self._max_payload)
        wanted.set_result(relay)

    def _keep(self, pid: int, relay: Relay) -> None:
        if pid in self._unclaimed:
            kept, _ = self._unclaimed[pid]
            if not kept.lost:
                log.warning("a second client of the relay claims to be the same worker", relay=self.address, pid=pid)
                relay.close()
                return
            self._drop_unclaimed(pid)
        if len(self._unclaimed) >= _MAX_UNCLAIMED:
            self._drop_unclaimed(next(iter(self._unclaimed)))
        expiry = asyncio.get_running_loop().call_later(_UNCLAIMED_FOR, self._nobody_came, pid)
        self._unclaimed[pid] = relay, expiry

    def _nobody_came(self, pid: int) -> None:
        log.warning(
            "a process that is no child of this server said hello; workers behind a wrapper (sh -c, docker exec, sudo) "
            "have another pid than the command that was started: use `relay: pipes` for them",
            relay=self.address,
            pid=pid,
        )
        self._drop_unclaimed(pid)

    def _drop_stranger(self, relay: Relay) -> None:
        self._strangers.pop(relay).cancel()
        relay.close()

    def _drop_unclaimed(self, pid: int) -> None:
        kept = self._unclaimed.pop(pid, None)
        if kept is not None:
            relay, expiry = kept
            expiry.cancel()
            relay.close()

    def _remove_socket_file(self) -> None:
        """Only our own: another server may have put its socket there meanwhile."""
        ours = self._socket_file
        if ours is None or not isinstance(self._where, str):
            return
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(self._where), ours):
                os.unlink(self._where)


def _parse(address: str) -> str | tuple[str, int]:
    """A path, or host and port."""
    scheme, *rest = address.split("://")
    if len(rest) == 1:
        where = _HOST_PORT.fullmatch(rest[0])
        if scheme == "tcp" and where is not None and int(where["port"]) <= 0xFFFF:
            return where["v6"] or where["host"], int(where["port"])
        if scheme == "unix" and rest[0]:
            return rest[0]
    raise RelayError("invalid DSN (tcp://:6001, unix://file.sock)")


def _listen_tcp(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        sock = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    else:
        try:
            family, *_, where = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0]
        except socket.gaierror as error:
            raise OSError(None, f"{host}: {error.strerror}") from error
        sock = socket.create_server(where[:2], family=family, backlog=_BACKLOG)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections inherit it
    return sock


def _listen_unix(path: str, owner: tuple[int, int]) -> socket.socket:
    _make_room(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        # Nobody can connect before listen(), so there is no moment in which the file is open to all.
        os.chmod(path, 0o600)
        if owner != (-1, -1):
            os.chown(path, *owner)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _make_room(path: str) -> None:
    """Remove a socket file nobody listens on; anything else is left alone, and binding fails."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(None, "there is a file of that name, and it is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            pass  # somebody listens and is busy
