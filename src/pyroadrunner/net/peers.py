"""What the kernel knows of our clients: which are still there, and which have not said anything yet.

HTTP/1.1 servers notice that a client has left when they write to it, and so does h2corn: a request that waits for a
worker is kept for somebody who has gone. And h2corn does not tell of a connection before its first request. The kernel
knows both. Asking it costs some microseconds per connection, so this is for a queue that does not move and for the end
of a server, not for every request.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator

# From Linux' tcp_states.h and tcp.h: the first byte of TCP_INFO is the state, which is CLOSE_WAIT (8) or CLOSE (7) when
# the client has closed.
_ESTABLISHED = 1
_BYTES_RECEIVED = 128
_DATA_SEGMENTS_IN = 152
_SEGMENTS_OF_A_HANDSHAKE = 2  # a client of TLS sends its hello, then what ends the handshake, then a request
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


def peer_ports() -> set[int]:
    """The clients' ports of all TCP connections of this process, without those whose client has closed its end.

    Where the system does not tell the state of a connection (macOS), only those that were reset are missing.

    Raises:
        OSError: there is no descriptor left to ask with.
    """
    ports = set()
    for connection in _connections():
        try:
            if sys.platform == "linux" and _info(connection, 1)[0] != _ESTABLISHED:
                continue
            ports.add(connection.getpeername()[1])
        except OSError:  # it was reset
            continue
    return ports


def silent_connections(port: int, *, tls: bool = False) -> Iterator[socket.socket]:
    """The connections to a port of ours whose client has not asked for anything since it connected. Linux only.

    Args:
        tls: a handshake does not count as a question.

    Yields:
        A copy of each, to be used before the next.

    Raises:
        OSError: there is no descriptor left to ask with.
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
    """How many there are to a port of ours. Linux only.

    Raises:
        OSError: there is no descriptor left to ask with.
    """
    found = 0
    for connection in _connections():
        try:
            found += connection.getsockname()[1] == port and _info(connection, 1)[0] == _ESTABLISHED
        except OSError:
            continue
    return found


def _connections() -> Iterator[socket.socket]:
    """Copies of all TCP sockets of this process; the originals belong to somebody else, who may close them any time."""
    for name in os.listdir(_DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            copy = socket.socket(fileno=os.dup(int(name)))
        except OSError as wrong:
            if wrong.errno in _OUT_OF_DESCRIPTORS:
                raise  # left out, somebody who is there would be taken for one who has gone
            continue  # the listing's own, or one that has just gone
        with copy:
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
                yield copy


def _info(connection: socket.socket, length: int) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, length)
