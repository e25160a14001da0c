"""Requests that wait for a worker while their clients have left: given up, so that no worker serves nobody.

Clients leave in an overload, and what they left in the queue would keep the workers busy long after it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from pyroadrunner.contracts import WorkerPool
from pyroadrunner.log import Log

_EVERY = 0.5  # seconds
_WAITED = 0.25  # seconds the oldest request of a pool must have waited to make looking worth it

log = Log("http")


class Departures:
    """Looks after the queues of some pools.

    Args:
        pools: asked each time, by name.
        connected: the ports of the clients that are there; may raise OSError when it can't tell.
    """

    def __init__(self, pools: Mapping[str, WorkerPool], connected: Callable[[], Collection[int]]) -> None:
        self._pools = pools
        self._connected = connected

    def __repr__(self) -> str:
        return f"Departures({list(self._pools)})"

    async def run(self) -> None:
        """Look every half a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.look()

    async def look(self) -> None:
        """Give up what nobody waits for; cheap when no request has waited long."""
        full = [pool for pool in self._pools.values() if (await pool.figures()).waiting >= _WAITED]
        if not full:
            return
        try:
            connected = self._connected()
        except OSError:  # no descriptor is left to ask with: nobody is given up on a guess
            return
        for pool in full:
            dropped = await pool.drop_departed(connected)
            if dropped:
                log.info(
                    "requests are given up: their clients left while they waited", pool=pool.name, requests=dropped
                )
