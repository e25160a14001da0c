"""Listening sockets that somebody opened before we started: systemd's socket activation (sd_listen_fds(3)).

The sockets come as descriptors from 3 on, their number in ``LISTEN_FDS``, their names in ``LISTEN_FDNAMES``, for the
process ``LISTEN_PID``. An address of the config gets those that have its name (its key, ``http.address``, or the part
before the last dot, ``http``), else those that listen where it says. They belong to whoever opened them: connections
that come while no server runs wait in them, so they are never shut down, and a socket file is never removed.

They are the process's, as its environment is; so is what this module holds.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass

from pyroadrunner.net.address import Address, TcpAddress, UnixAddress

_FIRST = 3  # SD_LISTEN_FDS_START
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_EVERYWHERE = {"", "0.0.0.0", "::"}
_LOCALHOST = {"localhost", "127.0.0.1", "::1"}


@dataclass(slots=True)
class ActivatedSocket:
    """One of them."""

    fd: int
    name: str
    claimed: bool = False


_received: list[ActivatedSocket] = []


def receive(env: MutableMapping[str, str]) -> None:
    """Take what was passed to this process, and the variables out of its environment: children get neither."""
    values = {name: env.pop(name, "") for name in _VARIABLES}
    if values["LISTEN_PID"] != str(os.getpid()) or not values["LISTEN_FDS"].isdecimal():
        return
    names = values["LISTEN_FDNAMES"].split(":") if values["LISTEN_FDNAMES"] else []
    for place in range(int(values["LISTEN_FDS"])):
        adopt(_FIRST + place, names[place] if place < len(names) else "")


def adopt(fd: int, name: str) -> None:
    """One more."""
    os.set_inheritable(fd, False)
    _received.append(ActivatedSocket(fd, name))


def received() -> list[ActivatedSocket]:
    """All, whether claimed or not; their descriptors stay open."""
    return list(_received)


def claim(address: Address, key: str) -> list[socket.socket]:
    """Copies of the sockets for an address of the config; empty when there are none.

    Args:
        key: config key the address comes from.

    Raises:
        OSError: one that is named so is no listening stream socket.
    """
    names = {key, key.rpartition(".")[0] or key}
    free = [one for one in _received if not one.claimed]
    found = [one for one in free if one.name in names] or [one for one in free if _listens_at(one, address)]
    sockets = []
    for one in found:
        sock = socket.socket(fileno=os.dup(one.fd))
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.close()
            raise OSError(
                None, f"the socket `{one.name}` that was passed on does not listen (systemd: Accept=no, ListenStream=)"
            )
        sock.setblocking(False)
        one.claimed = True
        sockets.append(sock)
    return sockets


def _listens_at(one: ActivatedSocket, address: Address) -> bool:
    with socket.socket(fileno=os.dup(one.fd)) as sock:
        where = sock.getsockname()
        if isinstance(address, UnixAddress):
            return sock.family == socket.AF_UNIX and os.path.abspath(address.path) == where
        assert isinstance(address, TcpAddress)
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or where[1] != address.port:
            return False
    if address.host in _EVERYWHERE:
        return where[0] in _EVERYWHERE
    return where[0] == address.host or (address.host == "localhost" and where[0] in _LOCALHOST)
