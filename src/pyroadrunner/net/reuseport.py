"""Pass an address from one listener to the next without losing a connection.

Theory of operation. Two listeners can't share a socket here: the old one would accept until it stops, and the stop
closes the connections it has just accepted. So the new listener opens a second socket on the same port. Linux allows
that with SO_REUSEPORT, and lets a BPF program of one instruction choose which socket gets new connections. From then on
all go to the new socket, and the old listener has time to finish its own connections.

SO_REUSEPORT is not set before the first handover. With it, two servers of one user could listen on one port without an
error.

On other systems the socket itself is passed on, and both listeners accept until the old one stops.
"""

from __future__ import annotations

import socket
import sys

from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.socket_filter import steer_to_first, steer_to_second

BOTH_ACCEPT = sys.platform != "linux"  # the old listener keeps accepting: it has to stop soon


def bind_again(old: BoundSockets) -> BoundSockets:
    """Bind sockets for the next listener. The old sockets get all connections until :func:`steer`.

    Raises:
        ListenError: binding failed; the old sockets are unchanged.
    """
    if BOTH_ACCEPT:
        return old.transfer()
    made: list[socket.socket] = []
    try:
        for one in old.sockets:
            made.append(_bind_same(one))
    except OSError as wrong:
        for one in made:
            one.close()
        raise ListenError(f"can't listen a second time on {old.address.short}: {wrong.strerror}") from wrong
    return BoundSockets.of(old.address, made)


def steer(new: BoundSockets) -> None:
    """Direct new connections to these sockets."""
    if BOTH_ACCEPT:
        return
    for one in new.sockets:
        steer_to_second(one)


def steer_back(old: BoundSockets) -> None:
    """Undo :func:`steer`: direct new connections to these sockets again."""
    if BOTH_ACCEPT:
        return
    for one in old.sockets:
        steer_to_first(one)


def _bind_same(old: socket.socket) -> socket.socket:
    second = socket.socket(old.family, socket.SOCK_STREAM)
    try:
        old.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if old.family == socket.AF_INET6:
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        second.bind(old.getsockname())
        second.listen(BACKLOG)
        second.setblocking(False)
    except OSError:
        second.close()
        raise
    return second
