"""Loopback TCP ports for the servers and programs that tests start.

A port that the system picks (bind to port 0) can go to a connection of another process before the server that it is
meant for listens on it. The ports handed out here lie below the range that the system picks from (32768 and up on
Linux, 49152 and up on macOS). Each process that runs tests (pytest-xdist starts several, and more than one checkout
may be tested at a time) hands out those of a slice of its own. The first port of a slice is its lock: the process
keeps it bound.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import cycle

_FIRST, _END, _SLICE = 10_000, 32_000, 500

_mine: Iterator[int] | None = None
_lock: socket.socket | None = None


def free_port() -> int:
    """A loopback TCP port on which nothing listens, and which no other process of tests hands out."""
    global _mine
    if _mine is None:
        _mine = _claim()
    for port in _mine:
        if sock := _bound(port):
            sock.close()
            break
    return port


def _claim() -> Iterator[int]:
    """The ports of the first slice that no other process has, over and over."""
    global _lock
    for first in range(_FIRST, _END, _SLICE):
        if _lock := _bound(first):
            return cycle(range(first + 1, first + _SLICE))
    raise RuntimeError(f"other processes that run tests have all slices of the ports {_FIRST} to {_END}")


def _bound(port: int) -> socket.socket | None:
    """A socket bound to the port; ``None`` when the port is taken."""
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    return sock
