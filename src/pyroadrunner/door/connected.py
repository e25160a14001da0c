"""Which clients are still there.

HTTP/1.1 servers notice that a client has left when they write to it, and so does h2corn: a request that waits for a
worker is kept for somebody who has gone. The kernel knows. Asking it costs some microseconds per connection, so this is
for a queue that does not move, not for every request.
"""

from __future__ import annotations

import os
import socket
import stat
import sys

# From Linux' tcp_states.h; the first byte of TCP_INFO. When the client has closed it is CLOSE_WAIT (8) or CLOSE (7).
_ESTABLISHED = 1
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


def connected_ports() -> set[int]:
    """The clients' ports of all TCP connections of this process, without those whose client has closed its end.

    Where the system does not tell the state of a connection (macOS), only those that were reset are missing.
    """
    ports = set()
    for name in os.listdir(_DESCRIPTORS):
        port = _port(int(name))
        if port:
            ports.add(port)
    return ports


def _port(descriptor: int) -> int:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return 0
        copy = socket.socket(fileno=os.dup(descriptor))  # the original belongs to somebody else, who may close it now
    except OSError:
        return 0
    with copy:
        if copy.family not in (socket.AF_INET, socket.AF_INET6) or copy.type != socket.SOCK_STREAM:
            return 0
        try:
            port: int = copy.getpeername()[1]
            if sys.platform == "linux" and copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED:
                return 0
        except OSError:  # it listens, or was reset
            return 0
        return port
