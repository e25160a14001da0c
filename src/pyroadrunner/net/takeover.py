"""Take over the addresses of a running server without losing a connection (SIGUSR2).

Theory of operation. Two processes do not share a listening socket: the old one would accept from it until it stops, and
the stop closes the connections it has just accepted. So the new process opens its own socket on the same port. Linux
allows that with SO_REUSEPORT, and lets a BPF program of one instruction choose which socket gets new connections. From
:func:`steer` on all go to the new process, and the old one has time to finish its own connections. A unix socket is
bound beside the old one and renamed over it; clients that connected before stay with the old process.

SO_REUSEPORT is set on the sockets of the old server only during a takeover (:func:`allow_takeover`). With it, two
servers of one user could otherwise listen on one port without an error.

On systems other than Linux, both processes accept until the old one stops.

A takeover concerns the whole process and all its addresses, so the state is global to the module.
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
_backups: dict[str, str] = {}  # path of a unix socket -> link that keeps the other server's socket until we are ready
_when_ready: list[Callable[[], Awaitable[None]]] = []


def register(sock: socket.socket) -> None:
    """Remember a listening socket, so that a successor process can share its port."""
    if sock.family != socket.AF_UNIX:
        _listening.add(sock)


class SocketHolder(Protocol):
    """An object that may hold several sockets on one port."""

    def keep_newest_socket(self) -> None:
        """Close all sockets but the newest: the BPF program selects the second socket of the port."""


def register_holder(one: SocketHolder) -> None:
    """Remember a socket holder, which :func:`allow_takeover` reduces to one socket."""
    _holders.add(one)


def allow_takeover(*, on: bool = True) -> None:
    """Allow (or forbid) another process of this user to listen on our ports."""
    for one in list(_holders) if on else ():
        one.keep_newest_socket()
    for sock in _listening:
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(on))


def begin() -> None:
    """Begin to take over the addresses of a running server; it ends with :func:`complete`."""
    global _taking_over
    _taking_over = True


def taking_over() -> bool:
    return _taking_over


def on_ready(callback: Callable[[], Awaitable[None]]) -> None:
    """Call back when all plugins have started. For addresses that probes use."""
    _when_ready.append(callback)


async def complete() -> None:
    """All plugins have started: run the callbacks and end the takeover."""
    global _taking_over
    callbacks, _when_ready[:] = list(_when_ready), []
    for callback in callbacks:
        await callback()
    _taking_over = False
    for backup in _backups.values():
        with suppress(OSError):  # already removed
            os.unlink(backup)
    _backups.clear()


def prepare_bind(sock: socket.socket) -> None:
    """During a takeover, allow the socket to share the port of the other server."""
    if _taking_over and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def steer(sock: socket.socket) -> None:
    """During a takeover, direct new connections to this listening socket."""
    if _taking_over and sock.family != socket.AF_UNIX and sys.platform == "linux":
        steer_to_second(sock)


def bind_path(path: str) -> str:
    """The path to bind a unix socket to: during a takeover beside ``path``, until :func:`publish` renames it."""
    return f"{path}.{os.getpid()}" if _taking_over else path


def publish(path: str) -> None:
    """Rename a unix socket bound at :func:`bind_path` to ``path``: it then gets new connections."""
    if _taking_over:
        backup = f"{path}.{os.getpid()}.before"
        with suppress(OSError):  # it does not exist, or the file system has no hard links
            os.link(path, backup, follow_symlinks=False)
            _backups[path] = backup
        os.rename(bind_path(path), path)


def restore(path: str) -> bool:
    """Undo :func:`publish` after a failed start, so that clients reach the other server again. Return whether it was
    published."""
    backup = _backups.pop(path, None)
    if backup is None:
        return False
    os.rename(backup, path)
    return True
