"""Ask the kernel which clients are still connected and which have not sent anything.

HTTP/1.1 servers, h2corn included, notice that a client has disconnected when they write to it. So a request may wait
for a worker although its client has disconnected. And h2corn does not report a connection before its first request. The
kernel reports both. Asking it costs some microseconds per connection, so this is for a queue that does not move and for
the stop of a server, not for every request.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

# From Linux' tcp_states.h and tcp.h: the first byte of TCP_INFO is the state, which is CLOSE_WAIT (8) or CLOSE (7) when
# the client has closed.
_ESTABLISHED = 1
_BYTES_RECEIVED = 128
_DATA_SEGMENTS_IN = 152
_SEGMENTS_OF_A_HANDSHAKE = 2  # a TLS client sends its ClientHello, then its Finished message, then a request
_TCP = (socket.AF_INET, socket.AF_INET6)
_STREAMS = (*_TCP, socket.AF_UNIX)
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


def peer_ports() -> set[int]:
    """The client ports of all TCP connections of this process, without those that the client has closed.

    On systems that do not report the state of a connection (macOS), only reset connections are left out.

    Raises:
        OSError: no descriptor is free.
    """
    ports = set()
    for connection in _connections():
        try:
            if sys.platform == "linux" and _info(connection, 1)[0] != _ESTABLISHED:
                continue
            ports.add(connection.getpeername()[1])
        except OSError:  # reset by the client
            continue
    return ports


def silent_connections(port: int, *, tls: bool = False) -> Iterator[socket.socket]:
    """The connections to a local port whose client has not sent a request since it connected. Linux only.

    Args:
        tls: a TLS handshake does not count as a request.

    Yields:
        A copy of each connection; it is closed when the next one is requested.

    Raises:
        OSError: no descriptor is free.
    """
    for connection in _connections():
        try:
            info = _info(connection, _DATA_SEGMENTS_IN + 4)
            if info[0] != _ESTABLISHED or connection.getsockname()[1] != port:
                continue
        except OSError:
            continue
        if tls:
            [segments] = struct.unpack_from("I", info, _DATA_SEGMENTS_IN)
            silent = segments <= _SEGMENTS_OF_A_HANDSHAKE
        else:
            [received] = struct.unpack_from("Q", info, _BYTES_RECEIVED)
            silent = received == 0
        if silent:
            yield connection


def count_connections(port: int) -> int:
    """Count the open connections to a local port. Linux only.

    Raises:
        OSError: no descriptor is free.
    """
    found = 0
    for connection in _connections():
        try:
            found += connection.getsockname()[1] == port and _info(connection, 1)[0] == _ESTABLISHED
        except OSError:
            continue
    return found


def close_accepted(listening: Iterable[socket.socket]) -> int:
    """Reset the connections that these sockets have accepted, and return their number. Their owners find them closed,
    also one that waits for a client that does not read.

    Raises:
        OSError: no descriptor is free.
    """
    names = {_local(one) for one in listening}
    return _reset(one for one in _sockets(_STREAMS) if not names.isdisjoint((_local(one), _local(one, any_host=True))))


def close_peers(peers: Collection[tuple[str, int]]) -> int:
    """Reset the connections to these addresses, and return their number.

    Raises:
        OSError: no descriptor is free.
    """
    return _reset(one for one in _connections() if _peer(one) in peers)


def _reset(connections: Iterable[socket.socket]) -> int:
    closed = 0
    for one in connections:
        with suppress(OSError):  # it listens, or it is closed already
            one.getpeername()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # drop what is not sent
            one.shutdown(socket.SHUT_RDWR)
            closed += 1
    return closed


def _local(one: socket.socket, *, any_host: bool = False) -> object:
    """The local address. With ``any_host``, that of a listener on all interfaces."""
    name = one.getsockname()
    if not isinstance(name, tuple):
        return name
    everywhere = "0.0.0.0" if one.family == socket.AF_INET else "::"
    return one.family, everywhere if any_host else name[0], name[1]


def _peer(one: socket.socket) -> tuple[str, int] | None:
    try:
        host, port, *_ = one.getpeername()
    except OSError:
        return None
    return host.removeprefix("::ffff:"), port


def _connections() -> Iterator[socket.socket]:
    """Copies of all TCP sockets of this process; the owners of the originals may close them at any time."""
    return _sockets(_TCP)


def _sockets(families: Collection[int]) -> Iterator[socket.socket]:
    for name in os.listdir(_DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            copy = socket.socket(fileno=os.dup(int(name)))
        except OSError as wrong:
            if wrong.errno in _OUT_OF_DESCRIPTORS:
                raise  # skipped, a connected client would count as disconnected
            continue  # the descriptor of the listing itself, or one that was just closed
        with copy:
            if copy.family in families and copy.type == socket.SOCK_STREAM:
                yield copy


def _info(connection: socket.socket, length: int) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, length)
