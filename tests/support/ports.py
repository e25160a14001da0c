"""Loopback TCP ports for the servers and programs that tests start.

The system may give a port that it has chosen (bind to port 0) to a connection of another process before the intended
server listens on it. The ports of this module are below the system's range (32768 and up on Linux, 49152 and up on
macOS). Each process that runs tests (pytest-xdist starts several, and several checkouts may be tested at the same time)
uses its own slice of ports. The first port of a slice is its lock: the process keeps it bound.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import cycle

_FIRST, _END, _SLICE = 10_000, 32_000, 500

_mine: Iterator[int] | None = None
_lock: socket.socket | None = None
_kept: set[int] = set()


def free_port() -> int:
    """A free loopback TCP port that no other test process uses."""
    global _mine
    if _mine is None:
        _mine = _claim()
    for port in _mine:
        if port not in _kept and (sock := _bound(port)):
            sock.close()
            break
    return port


def kept_port() -> int:
    """A free port that this process gives only once: its user may bind it late, and again."""
    port = free_port()
    _kept.add(port)
    return port


def _claim() -> Iterator[int]:
    """The ports of the first slice that no other process has, repeated endlessly."""
    global _lock
    for first in range(_FIRST, _END, _SLICE):
        if _lock := _bound(first):
            return cycle(range(first + 1, first + _SLICE))
    raise RuntimeError(f"other test processes use all slices of the ports {_FIRST} to {_END}")


def _bound(port: int) -> socket.socket | None:
    """A socket bound to the port; ``None`` if the port is in use."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    return sock
