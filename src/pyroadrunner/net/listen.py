"""Listening sockets for an address: taken from nobody who still lives, and named in words when they can't be had."""

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
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # a host's other address family, switched off on this machine


class Listening:
    """The sockets of one address, bound, not blocking.

    Attributes:
        sockets: one, or one for each address family of the host.
        address: as asked for; port 0 is replaced by the one taken.

    Args:
        ours: whether we have opened them; else somebody has who removes the socket file himself.
    """

    def __init__(self, sockets: list[socket.socket], address: Address, *, ours: bool = True) -> None:
        self.sockets = sockets
        self.address = address
        self._path = takeover.bind_path(address.path) if ours and isinstance(address, UnixAddress) else ""
        self._file = os.stat(self._path) if self._path else None

    def __repr__(self) -> str:
        return f"Listening({self.address}, sockets={len(self.sockets)})"

    def take_over(self) -> None:
        """While another server of ours is taken over: let new connections come here. They listen by now."""
        for sock in self.sockets if self._path or not isinstance(self.address, UnixAddress) else ():
            takeover.register(sock)
            takeover.steer(sock)
        if self._path and isinstance(self.address, UnixAddress):
            takeover.publish(self.address.path)
            self._path = self.address.path

    def close(self) -> None:
        """Close the sockets and remove the socket file, if it is still ours. Idempotent."""
        for sock in self.sockets:
            sock.close()
        if self._file is not None:
            with contextlib.suppress(OSError):  # it is gone, or the folder is
                if os.path.samestat(os.lstat(self._path), self._file) and not takeover.restore(self._path):
                    os.unlink(self._path)
        self._file = None


def listen(address: Address, key: str, *, late: bool = False) -> Listening:
    """Listen on ``address``. Looks its host up, which may block: for use while starting.

    Args:
        key: config key the address comes from, for the error.
        late: while another server of ours is taken over, only bind: the caller begins to listen and calls ``take_over``
            when everything has started (``takeover.on_ready``). For addresses that are asked whether the server is
            ready.

    Raises:
        ListenError: the address is taken, is none of this machine's, or its file is not ours to replace.
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
    # Not SO_REUSEPORT, which RoadRunner sets: a second server would start in silence and share the calls.
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
        # Nobody can connect before listen(), so there is no moment in which the file is open to all.
        os.chmod(place, 0o600)
        if not later:
            sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file nobody listens on; anything else is left alone."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(None, "there is a file of that name, and it is no socket; remove it, or set another path")
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
        except BlockingIOError:  # somebody listens and is busy
            raise OSError(errno.EADDRINUSE, "") from None
        else:
            raise OSError(errno.EADDRINUSE, "")
