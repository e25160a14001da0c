"""Pass an address from one server to the next while connections come in, without losing one.

Theory of operation. Two servers can't share a listening socket here: the old one would go on accepting until it is
stopped, and stopping it closes what it has just accepted. So the next one listens on a socket of its own, on the same
port. Linux allows that with SO_REUSEPORT, and lets a program of one instruction say which of the two gets new
connections: from then on all go to the new one, and the old one has all the time it wants for those it has.

SO_REUSEPORT is not set before the first handover: a port that is taken has to be refused in words, and with it two
servers of one user could listen on one port without noticing.

Elsewhere the socket itself is passed on, and both accept for as long as the old one lives.
"""

from __future__ import annotations

import socket
import sys

from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets
from pyroadrunner.net.errors import ListenError
from pyroadrunner.net.socket_filter import steer_to_first, steer_to_second

BOTH_ACCEPT = sys.platform != "linux"  # the old server goes on accepting: it has to end soon


def bind_again(old: BoundSockets) -> BoundSockets:
    """Sockets for the next server. Those of the old one still get all connections, until :func:`steer`.

    Raises:
        ListenError: they can't be made; the old ones are as they were.
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
        raise ListenError(f"{old.address.short} can't be listened on a second time: {wrong.strerror}") from wrong
    return BoundSockets.of(old.address, made)


def steer(new: BoundSockets) -> None:
    """From now on new connections come to these sockets."""
    if BOTH_ACCEPT:
        return
    for one in new.sockets:
        steer_to_second(one)


def steer_back(old: BoundSockets) -> None:
    """Undo :func:`steer`: new connections come to these sockets again."""
    if BOTH_ACCEPT:
        return
    for one in old.sockets:
        steer_to_first(one)


def _bind_same(old: socket.socket) -> socket.socket:
    twin = socket.socket(old.family, socket.SOCK_STREAM)
    try:
        old.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if old.family == socket.AF_INET6:
            twin.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        twin.bind(old.getsockname())
        twin.listen(BACKLOG)
        twin.setblocking(False)
    except OSError:
        twin.close()
        raise
    return twin
