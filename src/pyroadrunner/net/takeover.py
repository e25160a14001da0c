"""Take over the addresses of a server of ours that still runs, without losing a connection (SIGUSR2).

Theory of operation. Two processes do not share a listening socket: the old one would go on accepting from it until it
stops, and stopping cuts off what it has just accepted. So the new one listens on a socket of its own, on the same port.
Linux allows that with SO_REUSEPORT, and lets a program of one instruction say which of the two gets new connections:
from :func:`steer` on all go to the new one, and the old one has all the time it wants for those it has. A unix socket
is bound beside the old one and moved over it; who has connected before that stays where he is.

SO_REUSEPORT is set on the sockets of the old server only while another takes over (:func:`allow_takeover`): a port that
is taken has to be refused in words, and with it two servers of one user could listen on one port without noticing.

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

from pyroadrunner.net.socket_filter import steer_to_second

_listening: WeakSet[socket.socket] = WeakSet()
_holders: WeakSet[SocketHolder] = WeakSet()
_taking_over = False
_backups: dict[str, str] = {}  # path of a unix socket -> where that of the other server is kept until we are ready
_when_ready: list[Callable[[], Awaitable[None]]] = []


def register(sock: socket.socket) -> None:
    """To be told of each socket that listens, so that another process can be let in on its port."""
    if sock.family != socket.AF_UNIX:
        _listening.add(sock)


class SocketHolder(Protocol):
    """Who has more than one socket on a port for a while."""

    def keep_newest_socket(self) -> None:
        """Keep only the newest: the kernel is told of the second one, whichever that is."""


def register_holder(one: SocketHolder) -> None:
    """To be asked before another process is let in."""
    _holders.add(one)


def allow_takeover(*, on: bool = True) -> None:
    """Let another process of this user listen on our ports, or no more."""
    for one in list(_holders) if on else ():
        one.keep_newest_socket()
    for sock in _listening:
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(on))


def begin() -> None:
    """From here to :func:`complete` we take over the addresses of a server that runs."""
    global _taking_over
    _taking_over = True


def taking_over() -> bool:
    return _taking_over


def on_ready(callback: Callable[[], Awaitable[None]]) -> None:
    """Have something done once everything has started: for addresses that others ask whether we are ready."""
    _when_ready.append(callback)


async def complete() -> None:
    """Everything has started."""
    global _taking_over
    callbacks, _when_ready[:] = list(_when_ready), []
    for callback in callbacks:
        await callback()
    _taking_over = False
    for backup in _backups.values():
        with suppress(OSError):  # somebody has cleaned up
            os.unlink(backup)
    _backups.clear()


def prepare_bind(sock: socket.socket) -> None:
    """While taking over, the port may be that of the other server."""
    if _taking_over and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def steer(sock: socket.socket) -> None:
    """While taking over: from now on new connections to its port come to this socket, which listens."""
    if _taking_over and sock.family != socket.AF_UNIX and sys.platform == "linux":
        steer_to_second(sock)


def bind_path(path: str) -> str:
    """Where to bind a unix socket for ``path``: beside it while taking over, to be moved there by :func:`publish`."""
    return f"{path}.{os.getpid()}" if _taking_over else path


def publish(path: str) -> None:
    """Put a unix socket bound at :func:`bind_path` in its place: from now on new connections come to it."""
    if _taking_over:
        backup = f"{path}.{os.getpid()}.before"
        with suppress(OSError):  # there is none, or a file system without links
            os.link(path, backup, follow_symlinks=False)
            _backups[path] = backup
        os.rename(bind_path(path), path)


def restore(path: str) -> bool:
    """Undo :func:`publish` when the start has failed: the other server goes on, and has to be reached again."""
    backup = _backups.pop(path, None)
    if backup is None:
        return False
    os.rename(backup, path)
    return True
