"""Connections that nobody accepts, because there are as many as there may be: somebody has to be told."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress

from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import connections

_EVERY = 1.0  # seconds between two looks
_LOOKS = 3  # in a row that find somebody waiting: a busy server has that for a moment, too


async def watch(bound: BoundSockets, limit: int, log: Log) -> None:
    """Warn each time the limit is reached and others wait; until cancelled. Linux and TCP: elsewhere nobody can tell.

    Args:
        limit: connections at a time.
    """
    if sys.platform != "linux" or bound.port == 0:
        return
    seen = 0
    while True:
        await asyncio.sleep(_EVERY)
        with suppress(OSError, struct.error):  # no descriptor to ask with; a sandbox that does not know all of Linux
            seen = seen + 1 if bound.crowded() else 0
            if seen == _LOOKS and connections(bound.port) >= limit:
                log.warning(
                    "no more connections are taken until some are closed; the limit follows that of open files"
                    " (ulimit -n)",
                    address=bound.address.short,
                    limit=limit,
                )
