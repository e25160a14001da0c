"""Stop a listener without losing requests in flight.

Theory of operation. For the client, a connection is open as soon as the kernel has completed the handshake. It may
still wait in the backlog, or for its first request. Closing the listening socket resets the connections in the backlog,
and the engine closes those without a request. So the server first stops new handshakes, and gives the open connections
time to send a request. Each response then closes its connection (``close_after_response``), so they become fewer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import silent_connections

_TIMEOUT = 1.0  # seconds; a client that connects and sends nothing gets no more
_INTERVAL = 0.01  # seconds between two checks
_ENGINE = 0.1  # seconds until a stopping engine no longer accepts; h2corn needs some milliseconds
_CHECKS = 2  # consecutive checks without such a connection: the engine also has to read what has arrived


async def drain(bound: BoundSockets, *, tls: bool = False) -> None:
    """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one second.
    Idle connections are then closed: the engine waits for a first byte and would delay the stop.

    Only for TCP on Linux, where the kernel reports this; otherwise it returns immediately.

    Args:
        tls: a TLS handshake does not count as a request.
    """
    if _can_tell(bound):
        with suppress(OSError, struct.error):  # a sandbox that implements only part of Linux
            await _drain(bound, tls=tls)


async def wait_for_requests(bound: BoundSockets, silent: Callable[[], bool]) -> None:
    """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one second.

    Only for TCP on Linux, where the kernel reports its backlog; otherwise it returns immediately.

    Args:
        silent: whether a connection has not sent a request since it was accepted.
    """
    if not _can_tell(bound):
        return
    with suppress(OSError, struct.error):  # a sandbox that implements only part of Linux
        bound.stop_handshakes()
        loop = asyncio.get_running_loop()
        until = loop.time() + _TIMEOUT
        quiet = 0
        while quiet < _CHECKS and loop.time() < until:
            quiet = 0 if bound.has_pending() or silent() else quiet + 1
            await asyncio.sleep(_INTERVAL)


async def resume_inherited(bound: BoundSockets) -> None:
    """Resume handshakes on inherited sockets, after :func:`drain` and when this process no longer accepts. Other
    processes use them: systemd keeps them, and after SIGUSR2 the next server already listens on them."""
    if bound.inherited and _can_tell(bound):
        await asyncio.sleep(_ENGINE)
        bound.resume_handshakes()


async def _drain(bound: BoundSockets, *, tls: bool) -> None:
    bound.stop_handshakes()
    loop = asyncio.get_running_loop()
    until = loop.time() + _TIMEOUT
    quiet = 0
    while quiet < _CHECKS:
        if loop.time() >= until:
            _close_silent(bound.port, tls=tls)
            break
        expected = bound.has_pending() or next(silent_connections(bound.port, tls=tls), None) is not None
        quiet = 0 if expected else quiet + 1
        await asyncio.sleep(_INTERVAL)


def _can_tell(bound: BoundSockets) -> bool:
    return sys.platform == "linux" and bound.port != 0


def _close_silent(port: int, *, tls: bool) -> None:
    for connection in silent_connections(port, tls=tls):
        with suppress(OSError):  # already closed
            connection.shutdown(socket.SHUT_RDWR)
