"""Ask the kernel about the connections of this process: how many there are, and which clients have not sent anything.

h2corn does not report a connection before its first request, but the kernel does. Asking it costs some microseconds per
connection, so this is for a full backlog and for the stop of a server, not for every request.
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
_SEGMENTS_OF_A_HANDSHAKE = 2  # a TLS client sends its ClientHello, then its Finished message, then a request
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


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


def _connections() -> Iterator[socket.socket]:
    """Copies of all TCP sockets of this process; the owners of the originals may close them at any time."""
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
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM:
                yield copy


def _info(connection: socket.socket, length: int) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, length)
