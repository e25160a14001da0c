"""Listening sockets that another process passed on: systemd's socket activation (sd_listen_fds(3)).

The sockets are the descriptors from 3 on, their number is in ``LISTEN_FDS``, their names in ``LISTEN_FDNAMES``, for the
process ``LISTEN_PID``. An address of the config gets the sockets with its name (its key, ``http.address``, or the part
before the last dot, ``http``), else those that listen on this address. The sockets belong to the process that opened
them, and queue connections while no server runs. So the server never shuts them down and never removes a socket file.

The sockets are state of the process, like its environment, so this module holds them globally.
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
    """A socket passed by systemd."""

    fd: int
    name: str
    claimed: bool = False


_received: list[ActivatedSocket] = []


def receive(env: MutableMapping[str, str]) -> None:
    """Receive the sockets passed to this process and remove the variables from ``env``: children get neither."""
    values = {name: env.pop(name, "") for name in _VARIABLES}
    if values["LISTEN_PID"] != str(os.getpid()) or not values["LISTEN_FDS"].isdecimal():
        return
    names = values["LISTEN_FDNAMES"].split(":") if values["LISTEN_FDNAMES"] else []
    for place in range(int(values["LISTEN_FDS"])):
        adopt(_FIRST + place, names[place] if place < len(names) else "")


def adopt(fd: int, name: str) -> None:
    """Add a received socket."""
    os.set_inheritable(fd, False)
    _received.append(ActivatedSocket(fd, name))


def received() -> list[ActivatedSocket]:
    """All received sockets, claimed or not; their descriptors stay open."""
    return list(_received)


def claim(address: Address, key: str) -> list[socket.socket]:
    """Copies of the sockets for an address of the config; empty if none matches.

    Args:
        key: config key of the address.

    Raises:
        OSError: a matching socket is not a listening stream socket.
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
                None, f"the inherited socket `{one.name}` does not listen (systemd: Accept=no, ListenStream=)"
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
