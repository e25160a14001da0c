"""Warn when the connection limit is reached and the backlog fills."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress

from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import count_connections

_INTERVAL = 1.0  # seconds between two checks
_CHECKS = 3  # consecutive checks that find waiting connections: a busy server has them for a moment, too


async def warn_when_full(bound: BoundSockets, limit: int, log: Log) -> None:
    """Warn each time the limit is reached and connections wait. Runs until cancelled. Only for TCP on Linux: other
    systems do not report the backlog.

    Args:
        limit: concurrent connections.
    """
    if sys.platform != "linux" or bound.port == 0:
        return
    full = 0
    while True:
        await asyncio.sleep(_INTERVAL)
        with suppress(OSError, struct.error):  # no free descriptor; a sandbox that implements only part of Linux
            full = full + 1 if bound.has_pending() else 0
            if full == _CHECKS and count_connections(bound.port) >= limit:
                log.warning(
                    "connection limit reached; new connections wait in the backlog (the limit follows ulimit -n)",
                    address=bound.address.short,
                    limit=limit,
                )
