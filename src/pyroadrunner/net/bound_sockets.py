"""Listening sockets, bound by us: a taken port is said in our words, and before any worker boots."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable

from pyroadrunner.net import activation, takeover
from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.endpoint import SOCKET_MODE
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.socket_filter import accept_handshakes, drop_handshakes

BACKLOG = 4096  # connections the kernel keeps for us; it takes the smaller of this and net.core.somaxconn
_PENDING_OFFSET = (
    24  # place in Linux' TCP_INFO, of a socket that listens, of the number of connections nobody has accepted
)


class BoundSockets:
    """The sockets of one address. A name may stand for several (``localhost``: IPv4 and IPv6).

    Args:
        key: what the config calls the address.
        mode: of the file of a unix socket, whatever the umask is.

    Raises:
        ListenError: none of its addresses can be listened on.
    """

    def __init__(self, address: Address, key: str = "http.address", mode: int = SOCKET_MODE) -> None:
        self._key = key
        self._mode = mode
        self._inode: tuple[int, int] | None = None
        self._path = address.path if isinstance(address, UnixAddress) else ""
        self.address = address
        self.sockets = self._inherited(address)
        self.inherited = bool(self.sockets)
        self.resume_handshakes()  # a server that was killed while it turned others away could not do so
        if not self.inherited:
            self.sockets = [self._unix(address)] if isinstance(address, UnixAddress) else self._tcp(address)

    @classmethod
    def of(cls, address: Address, sockets: list[socket.socket]) -> BoundSockets:
        """Sockets that listen already."""
        bound = cls.__new__(cls)
        bound._key = ""
        bound._mode = SOCKET_MODE
        bound._inode = None
        bound._path = ""
        bound.inherited = False
        bound.address = address
        bound.sockets = sockets
        return bound

    def transfer(self) -> BoundSockets:
        """The same sockets for another owner; this one has none any more."""
        other = BoundSockets.of(self.address, self.sockets)
        other._inode, self._inode = self._inode, None
        other._path = self._path
        other.inherited = self.inherited
        self.sockets = []
        return other

    def __repr__(self) -> str:
        return f"BoundSockets({self.address.short}, {len(self.sockets)} open)"

    @property
    def port(self) -> int:
        """The port in use, also where the config says 0; 0 for a unix socket."""
        name = self.sockets[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def listen(self) -> None:
        """Listen, when that was put off: while another server of ours is taken over, connections must not wait here for
        workers that boot."""
        for one in () if self.inherited else self.sockets:
            one.listen(BACKLOG)

    def take_over(self) -> None:
        """While another server of ours is taken over: let new connections come here; they are accepted by now."""
        for one in self.sockets:
            takeover.register(one)
            if not self.inherited:
                takeover.steer(one)
        if self._inode is not None and isinstance(self.address, UnixAddress):
            takeover.publish(self.address.path)
            self._path = self.address.path

    async def serve(self, connected: Callable[[], asyncio.BaseProtocol]) -> list[asyncio.Server]:
        """Accept connections in our own loop, for those who need no engine. The sockets stay ours when it ends."""
        loop = asyncio.get_running_loop()
        servers = []
        for one in self.sockets:
            twin = one.dup()  # the loop closes the one it is given
            twin.setblocking(False)
            servers.append(await loop.create_server(connected, sock=twin, backlog=BACKLOG))
        return servers

    def stop_handshakes(self) -> None:
        """Let nobody else connect, and keep those who have: a socket that is shut down resets what waits in it. TCP on
        Linux. Sockets that were passed on to us are others' as well: see :meth:`resume_handshakes`."""
        for one in self.sockets:
            drop_handshakes(one)

    def resume_handshakes(self) -> None:
        """Undo :meth:`stop_handshakes` for the others who listen on sockets that were passed on to us."""
        if self.inherited and sys.platform == "linux":
            for one in self.sockets:
                accept_handshakes(one)

    def has_pending(self) -> bool:
        """Whether connections wait to be accepted. TCP on Linux."""
        return any(_pending(one) for one in self.sockets)

    def refuse(self) -> None:
        """Refuse connections from now on, also where others hold copies of the descriptors; those of a socket that was
        passed on to us wait for the next server."""
        for listening in () if self.inherited else self.sockets:
            try:
                listening.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not every system can do that to a listening socket
        self._unlink()

    def close(self) -> None:
        """Let go of everything. Idempotent."""
        self._unlink()
        for listening in self.sockets:
            listening.close()
        self.sockets = []

    def _inherited(self, address: Address) -> list[socket.socket]:
        try:
            return activation.claim(address, self._key)
        except OSError as wrong:
            raise self._error(address, wrong) from wrong

    def _tcp(self, address: TcpAddress) -> list[socket.socket]:
        host = address.host or "0.0.0.0"
        try:
            found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as wrong:
            raise ListenError(f"{self._key} {address.short}: the host can't be resolved: {wrong.strerror}") from wrong
        bound: list[socket.socket] = []
        port = address.port
        error: OSError | None = None
        for family, _, _, _, where in dict.fromkeys(found):
            listening = socket.socket(family, socket.SOCK_STREAM)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                takeover.prepare_bind(listening)
                listening.bind((where[0], port, *where[2:]))
                if not takeover.taking_over():
                    listening.listen(BACKLOG)
                listening.setblocking(False)
            except OSError as wrong:
                listening.close()
                if wrong.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    _close(bound)
                    raise self._error(address, wrong) from wrong
                error = wrong  # this machine does not have that family; another one may do
                continue
            bound.append(listening)
            port = port or listening.getsockname()[1]
        if not bound:
            assert error is not None
            raise self._error(address, error) from error
        return bound

    def _unix(self, address: UnixAddress) -> socket.socket:
        self._remove_stale(address)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = takeover.bind_path(address.path)
        try:
            listening.bind(self._path)
            # Nobody can connect before listen(), so the umask's mode never counts.
            os.chmod(self._path, self._mode)
            if not takeover.taking_over():
                listening.listen(BACKLOG)
            listening.setblocking(False)
            entry = os.lstat(self._path)
        except OSError as wrong:
            listening.close()
            raise self._error(address, wrong) from wrong
        self._inode = (entry.st_dev, entry.st_ino)
        return listening

    def _remove_stale(self, address: UnixAddress) -> None:
        """Remove a socket that nobody listens on any more; never anything else."""
        try:
            mode = os.lstat(address.path).st_mode
        except OSError:
            return
        if not stat.S_ISSOCK(mode):
            raise ListenError(f"{self._key} {address.short}: there is a file at this path, and it is no socket")
        if takeover.taking_over():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(address.path)
            except ConnectionRefusedError:
                self._remove(address)
                return
            except PermissionError as wrong:
                raise self._error(address, wrong) from wrong
            except OSError:
                pass  # a full backlog: somebody lives there
        raise ListenError(f"{self._key} {address.short} is already in use; stop the process that listens there")

    def _remove(self, address: UnixAddress) -> None:
        try:
            os.unlink(address.path)
        except OSError as wrong:
            raise ListenError(
                f"{self._key} {address.short}: a socket that nobody listens on is there, and can't be removed:"
                f" {(wrong.strerror or str(wrong)).lower()}"
            ) from wrong

    def _unlink(self) -> None:
        if self._inode is None:
            return
        try:
            entry = os.lstat(self._path)
            if (entry.st_dev, entry.st_ino) == self._inode and not takeover.restore(self._path):
                os.unlink(self._path)
        except OSError:
            pass  # somebody has cleaned up already
        self._inode = None

    def _error(self, address: Address, wrong: OSError) -> ListenError:
        if wrong.errno == errno.EADDRINUSE:
            return ListenError(
                f"{self._key} {address.short} is already in use; stop the process that listens there, or choose"
                " another port"
            )
        if wrong.errno == errno.EACCES and isinstance(address, TcpAddress):
            return ListenError(f"{self._key} {address.short}: permission denied (ports below 1024 need more rights)")
        return ListenError(f"{self._key} {address.short} can't be listened on: {wrong.strerror or wrong}")


def _pending(listening: socket.socket) -> int:
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _PENDING_OFFSET + 4)
    number: int = struct.unpack_from("I", info, _PENDING_OFFSET)[0]
    return number


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()
