"""Come to an end without losing a request that is on its way.

Theory of operation. A connection exists for its client as soon as the kernel has made it: it waits until we accept it,
and then until its first request comes in. To stop listening resets those that wait, and engines close those on which no
request has begun. So before that, nobody else is let in, and those who are in get the time to ask; each answer closes
its connection by then (``retire``), so they become fewer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from contextlib import suppress

from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import silent_connections

_TIMEOUT = 1.0  # seconds; who connects and says nothing is not worth more
_INTERVAL = 0.01  # seconds between two looks
_ENGINE = 0.1  # seconds until an engine that was told to stop does not accept any more; h2corn needs some milliseconds
_CHECKS = 2  # without finding anybody: what has arrived has to be read, too


async def drain(bound: BoundSockets, *, tls: bool = False) -> None:
    """Let nobody else connect, and return when everybody who is connected has asked for something. Who has not after a
    second is cut off: engines wait for a first byte, and nobody would know why the server does not stop.

    Only where the kernel can tell (Linux, TCP); elsewhere it returns at once.

    Args:
        tls: a handshake does not count as a question.
    """
    if _can_tell(bound):
        with suppress(OSError, struct.error):  # a sandbox that passes for Linux and does not know all of it
            await _drain(bound, tls=tls)


async def resume_inherited(bound: BoundSockets) -> None:
    """After :func:`drain`, and when nothing here accepts any more: let others have the sockets that were passed on to
    us (systemd keeps them, and after SIGUSR2 the next server listens on them already)."""
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
        with suppress(OSError):  # it is gone by now
            connection.shutdown(socket.SHUT_RDWR)
