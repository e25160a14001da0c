"""Bind listening sockets before workers start, with clear errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable
from typing import Any

from pyroadrunner.net import activation, takeover
from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.endpoint import SOCKET_MODE
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.socket_filter import accept_handshakes, drop_handshakes

BACKLOG = 4096  # connections in the kernel's queue; the kernel uses the smaller of this and net.core.somaxconn
_PENDING_OFFSET = 24  # in Linux' TCP_INFO of a listening socket: the number of connections that wait for accept()


class BoundSockets:
    """The sockets of one address. A name may resolve to several addresses (``localhost``: IPv4 and IPv6).

    Attributes:
        address: the requested address; port 0 is replaced by the port in use.
        sockets: one, or one for each address family of the host; non-blocking.
        inherited: whether systemd passed them to this process.

    Args:
        key: config key of the address, for error messages.
        mode: permissions of a unix socket's file, independent of the umask.
        any_family: whether an address without a host means the interfaces of IPv6, too, not those of IPv4 alone.

    Raises:
        ListenError: the server can't listen on any of its addresses.
    """

    def __init__(
        self, address: Address, key: str = "http.address", mode: int = SOCKET_MODE, *, any_family: bool = False
    ) -> None:
        self._key = key
        self._mode = mode
        self._host = None if any_family else "0.0.0.0"  # for an address without a host
        self._inode: tuple[int, int] | None = None
        self._path = address.path if isinstance(address, UnixAddress) else ""
        self.address = address
        self.sockets = self._inherited(address)
        self.inherited = bool(self.sockets)
        self.resume_handshakes()  # a server that was killed while draining could not do so
        if self.inherited:
            return
        self.sockets = [self._unix(address)] if isinstance(address, UnixAddress) else self._tcp(address)
        if isinstance(address, TcpAddress):
            self.address = TcpAddress(address.host, self.port)

    @classmethod
    def of(cls, address: Address, sockets: list[socket.socket]) -> BoundSockets:
        """Wrap sockets that already listen."""
        bound = cls.__new__(cls)
        bound._key = ""
        bound._host = None
        bound._mode = SOCKET_MODE
        bound._inode = None
        bound._path = ""
        bound.inherited = False
        bound.address = address
        bound.sockets = sockets
        return bound

    def transfer(self) -> BoundSockets:
        """Move the sockets to a new owner; this object has none afterwards."""
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
        """The port in use, also if the config says 0; 0 for a unix socket."""
        name = self.sockets[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def listen(self) -> None:
        """Start to listen, if the constructor did not. During a takeover connections must not wait here while the
        workers still start."""
        for one in () if self.inherited else self.sockets:
            one.listen(BACKLOG)

    def take_over(self) -> None:
        """During a takeover: direct new connections here. Call it once connections are accepted."""
        for one in self.sockets:
            takeover.register(one)
            if not self.inherited:
                takeover.steer(one)
        if self._inode is not None and isinstance(self.address, UnixAddress):
            takeover.publish(self.address.path)
            self._path = self.address.path

    async def serve(self, connected: Callable[[], asyncio.BaseProtocol], **options: Any) -> list[asyncio.Server]:
        """Accept connections in the event loop, without the HTTP engine. The sockets stay open when the servers
        close.

        Args:
            options: of ``create_server``, such as ``ssl``.
        """
        loop = asyncio.get_running_loop()
        servers = []
        for one in self.sockets:
            copy = one.dup()  # the loop closes the socket it is given
            copy.setblocking(False)
            servers.append(await loop.create_server(connected, sock=copy, backlog=BACKLOG, **options))
        return servers

    def stop_handshakes(self) -> None:
        """Stop accepting new TCP handshakes and keep the open connections. (Shutting down a socket would reset the
        connections in its backlog.) Only for TCP on Linux. Other processes may share inherited sockets: see
        :meth:`resume_handshakes`."""
        for one in self.sockets:
            drop_handshakes(one)

    def resume_handshakes(self) -> None:
        """Undo :meth:`stop_handshakes` on inherited sockets, for the other processes that listen on them."""
        if self.inherited and sys.platform == "linux":
            for one in self.sockets:
                accept_handshakes(one)

    def has_pending(self) -> bool:
        """Whether connections wait to be accepted. TCP on Linux."""
        return any(_pending(one) for one in self.sockets)

    def refuse(self) -> None:
        """Refuse new connections, even if other processes hold copies of the descriptors. On inherited sockets, new
        connections wait for the next server."""
        for listening in () if self.inherited else self.sockets:
            try:
                listening.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # some systems can't shut down a listening socket
        self._unlink()

    def close(self) -> None:
        """Close the sockets and remove the socket file. Idempotent."""
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
        try:
            host = address.host or self._host
            found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as wrong:
            raise self._refused(address, f"the host can't be resolved: {wrong.strerror}") from wrong
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
                error = wrong  # this machine lacks that address family; another may work
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
            # Clients can't connect before listen(), so the mode from the umask never takes effect.
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
        """Remove a socket file that no process listens on; never anything else."""
        try:
            mode = os.lstat(address.path).st_mode
        except OSError:
            return
        if not stat.S_ISSOCK(mode):
            raise self._refused(address, "the file at this path is not a socket; remove it, or set another path")
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
                pass  # a full backlog: a process listens there
        raise self._error(address, OSError(errno.EADDRINUSE, ""))

    def _remove(self, address: UnixAddress) -> None:
        try:
            os.unlink(address.path)
        except OSError as wrong:
            reason = (wrong.strerror or str(wrong)).lower()
            raise self._refused(address, f"a stale socket file is in the way and can't be removed: {reason}") from wrong

    def _unlink(self) -> None:
        if self._inode is None:
            return
        try:
            entry = os.lstat(self._path)
            if (entry.st_dev, entry.st_ino) == self._inode and not takeover.restore(self._path):
                os.unlink(self._path)
        except OSError:
            pass  # another process has already removed it
        self._inode = None

    def _error(self, address: Address, wrong: OSError) -> ListenError:
        if wrong.errno == errno.EADDRINUSE:
            other = "path" if isinstance(address, UnixAddress) else "port"
            reason = f"the address is in use; stop the process that listens there, or set another {other}"
        elif wrong.errno == errno.EACCES and isinstance(address, TcpAddress):
            reason = "permission denied (ports below 1024 need privileges)"
        else:
            reason = (wrong.strerror or str(wrong)).lower()
        return self._refused(address, reason)

    def _refused(self, address: Address, reason: str) -> ListenError:
        return ListenError(f"{self._key}: cannot listen on {address.short}: {reason}")


def listen(address: Address, key: str, *, late: bool = False) -> BoundSockets:
    """Listen on an address of local clients: a unix socket is for the owner alone. Resolves the host, which may block:
    for use during the start.

    Args:
        key: config key of the address, for error messages.
        late: during a takeover only bind: the caller calls ``listen`` and ``take_over`` when all plugins have started
            (``takeover.on_ready``). For addresses that probes use.

    Raises:
        ListenError: the address is in use or not an address of this machine, or its path is another kind of file.
    """
    bound = BoundSockets(address, key, 0o600, any_family=True)
    if not (late and takeover.taking_over()):
        bound.listen()
        bound.take_over()
    return bound


def _pending(listening: socket.socket) -> int:
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _PENDING_OFFSET + 4)
    number: int = struct.unpack_from("I", info, _PENDING_OFFSET)[0]
    return number


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()
