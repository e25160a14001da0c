"""Listen on an address, never displacing a running process."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat

from pyroadrunner.net import activation, takeover
from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.errors import ListenError

BACKLOG = 1024
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # an address family that is disabled on this machine


class Listening:
    """The bound, non-blocking sockets of one address.

    Attributes:
        sockets: one, or one for each address family of the host.
        address: the requested address; port 0 is replaced by the port in use.

    Args:
        ours: whether this process opened the sockets; otherwise their owner removes the socket file.
    """

    def __init__(self, sockets: list[socket.socket], address: Address, *, ours: bool = True) -> None:
        self.sockets = sockets
        self.address = address
        self._path = takeover.bind_path(address.path) if ours and isinstance(address, UnixAddress) else ""
        self._file = os.stat(self._path) if self._path else None

    def __repr__(self) -> str:
        return f"Listening({self.address}, sockets={len(self.sockets)})"

    def take_over(self) -> None:
        """During a takeover: direct new connections here. Call it once the sockets listen."""
        for sock in self.sockets if self._path or not isinstance(self.address, UnixAddress) else ():
            takeover.register(sock)
            takeover.steer(sock)
        if self._path and isinstance(self.address, UnixAddress):
            takeover.publish(self.address.path)
            self._path = self.address.path

    def close(self) -> None:
        """Close the sockets and remove the socket file, if this process still owns it. Idempotent."""
        for sock in self.sockets:
            sock.close()
        if self._file is not None:
            with contextlib.suppress(OSError):  # the file or its folder was removed
                if os.path.samestat(os.lstat(self._path), self._file) and not takeover.restore(self._path):
                    os.unlink(self._path)
        self._file = None


def listen(address: Address, key: str, *, late: bool = False) -> Listening:
    """Listen on ``address``. Resolves its host, which may block: for use during the start.

    Args:
        key: config key of the address, for error messages.
        late: during a takeover only bind: the caller starts to listen and calls ``take_over`` when all plugins have
            started (``takeover.on_ready``). For addresses that probes use.

    Raises:
        ListenError: the address is in use or not an address of this machine, or its path is another kind of file.
    """
    try:
        if passed_on := activation.claim(address, key):
            return Listening(passed_on, address, ours=False)
        later = late and takeover.taking_over()
        if isinstance(address, UnixAddress):
            listening = Listening([_unix(address.path, later=later)], address)
        else:
            sockets = _tcp(address, later=later)
            listening = Listening(sockets, TcpAddress(address.host, sockets[0].getsockname()[1]))
        if not later:
            listening.take_over()
        return listening
    except OSError as error:
        raise ListenError(f"{key}: cannot listen on {address}: {_reason(address, error)}") from error


def _reason(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = "path" if isinstance(address, UnixAddress) else "port"
        return f"the address is in use, maybe by another server: stop that one, or set another {other}"
    return (error.strerror or str(error)).lower()


def _tcp(address: TcpAddress, *, later: bool) -> list[socket.socket]:
    infos = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    port = address.port
    absent: OSError | None = None
    try:
        for family, kind, protocol, _, where in dict.fromkeys(infos):
            try:
                sock = socket.socket(family, kind, protocol)
                sockets.append(sock)
                _bind_tcp(sock, (where[0], port, *where[2:]), later=later)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                if sockets and sockets[-1].fileno() >= 0:
                    sockets.pop().close()
                continue
            port = sock.getsockname()[1]
        if not sockets and absent is not None:
            raise absent
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bind_tcp(sock: socket.socket, where: tuple[object, ...], *, later: bool) -> None:
    # Not SO_REUSEPORT, which RoadRunner sets: a second server would start without an error and share the calls.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    takeover.prepare_bind(sock)
    sock.bind(where)
    if not later:
        sock.listen(BACKLOG)
    sock.setblocking(False)


def _unix(path: str, *, later: bool) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        place = takeover.bind_path(path)
        sock.bind(place)
        # Clients can't connect before listen(), so the socket is never open to all users.
        os.chmod(place, 0o600)
        if not later:
            sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file that no process listens on; never anything else."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(None, "the file at this path is not a socket; remove it, or set another path")
    except FileNotFoundError:
        return
    if takeover.taking_over():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:  # a full backlog: a process listens there
            raise OSError(errno.EADDRINUSE, "") from None
        else:
            raise OSError(errno.EADDRINUSE, "")
