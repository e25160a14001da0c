"""Connections that nobody accepts, because there are as many as there may be: somebody has to be told."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress

from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import count_connections

_INTERVAL = 1.0  # seconds between two looks
_CHECKS = 3  # in a row that find somebody waiting: a busy server has that for a moment, too


async def warn_when_full(bound: BoundSockets, limit: int, log: Log) -> None:
    """Warn each time the limit is reached and others wait; until cancelled. Linux and TCP: elsewhere nobody can tell.

    Args:
        limit: connections at a time.
    """
    if sys.platform != "linux" or bound.port == 0:
        return
    full = 0
    while True:
        await asyncio.sleep(_INTERVAL)
        with suppress(OSError, struct.error):  # no descriptor to ask with; a sandbox that does not know all of Linux
            full = full + 1 if bound.has_pending() else 0
            if full == _CHECKS and count_connections(bound.port) >= limit:
                log.warning(
                    "no more connections are taken until some are closed; the limit follows that of open files"
                    " (ulimit -n)",
                    address=bound.address.short,
                    limit=limit,
                )
