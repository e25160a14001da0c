"""Take over the addresses of a server of ours that still runs, without losing a connection (SIGUSR2).

Theory of operation. Two processes do not share a listening socket: the old one would go on accepting from it until it
stops, and stopping cuts off what it has just accepted. So the new one listens on a socket of its own, on the same port.
Linux allows that with SO_REUSEPORT, and lets a program of one instruction say which of the two gets new connections:
from :func:`steer` on all go to the new one, and the old one has all the time it wants for those it has. A unix socket
is bound beside the old one and moved over it; who has connected before that stays where he is.

SO_REUSEPORT is set on the sockets of the old server only while another takes over (:func:`offer`): a port that is taken
has to be refused in words, and with it two servers of one user could listen on one port without noticing.

Elsewhere than on Linux both accept for as long as the old one lives.

Who takes over is a matter of the whole process, and every address of it: so this is state of the module.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

from pyroadrunner.net.socket_filter import choose_second

_listening: WeakSet[socket.socket] = WeakSet()
_many: WeakSet[MakesWay] = WeakSet()
_taking_over = False
_before: dict[str, str] = {}  # path of a unix socket -> where that of the other server is kept until we are ready
_due: list[Callable[[], Awaitable[None]]] = []


def listens(sock: socket.socket) -> None:
    """To be told of each socket that listens, so that another process can be let in on its port."""
    if sock.family != socket.AF_UNIX:
        _listening.add(sock)


class MakesWay(Protocol):
    """Who has more than one socket on a port for a while."""

    def make_way(self) -> None:
        """Keep only the newest: the kernel is told of the second one, whichever that is."""


def makes_way(one: MakesWay) -> None:
    """To be asked before another process is let in."""
    _many.add(one)


def offer(*, on: bool = True) -> None:
    """Let another process of this user listen on our ports, or no more."""
    for one in list(_many) if on else ():
        one.make_way()
    for sock in _listening:
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(on))


def begin() -> None:
    """From here to :func:`complete` we take over the addresses of a server that runs."""
    global _taking_over
    _taking_over = True


def taking_over() -> bool:
    return _taking_over


def at_ready(act: Callable[[], Awaitable[None]]) -> None:
    """Have something done once everything has started: for addresses that others ask whether we are ready."""
    _due.append(act)


async def complete() -> None:
    """Everything has started."""
    global _taking_over
    due, _due[:] = list(_due), []
    for act in due:
        await act()
    _taking_over = False
    for before in _before.values():
        with suppress(OSError):  # somebody has cleaned up
            os.unlink(before)
    _before.clear()


def before_bind(sock: socket.socket) -> None:
    """While taking over, the port may be that of the other server."""
    if _taking_over and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def steer(sock: socket.socket) -> None:
    """While taking over: from now on new connections to its port come to this socket, which listens."""
    if _taking_over and sock.family != socket.AF_UNIX and sys.platform == "linux":
        choose_second(sock)


def path_to_bind(path: str) -> str:
    """Where to bind a unix socket for ``path``: beside it while taking over, to be moved there by :func:`move`."""
    return f"{path}.{os.getpid()}" if _taking_over else path


def move(path: str) -> None:
    """Put a unix socket bound at :func:`path_to_bind` in its place: from now on new connections come to it."""
    if _taking_over:
        before = f"{path}.{os.getpid()}.before"
        with suppress(OSError):  # there is none, or a file system without links
            os.link(path, before, follow_symlinks=False)
            _before[path] = before
        os.rename(path_to_bind(path), path)


def give_back(path: str) -> bool:
    """Undo :func:`move` when the start has failed: the other server goes on, and has to be reached again."""
    before = _before.pop(path, None)
    if before is None:
        return False
    os.rename(before, path)
    return True
