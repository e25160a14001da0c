"""Requests whose clients have left while they waited for a worker: given up, so that no worker runs them in vain.

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


class PendingCalls:
    """The requests that a pool has and has not answered, by the task that waits for the answer."""

    __slots__ = ("_cancelled", "_ports")

    def __init__(self) -> None:
        self._ports: dict[asyncio.Task[object], int] = {}
        self._cancelled: set[asyncio.Task[object]] = set()

    def __repr__(self) -> str:
        return f"PendingCalls({len(self._ports)})"

    def begin(self, task: asyncio.Task[object], port: int) -> None:
        """A task begins to wait for the answer to the client with this TCP port."""
        self._ports[task] = port

    def end(self, task: asyncio.Task[object]) -> None:
        """It waits no more."""
        self._ports.pop(task, None)

    def cancel_disconnected(self, connected: Collection[int]) -> int:
        """Cancel the tasks whose client's port is none of these; returns how many."""
        left = [task for task, port in self._ports.items() if port not in connected and task not in self._cancelled]
        for task in left:
            self._cancelled.add(task)
            task.cancel()
        return len(left)

    def was_cancelled(self, task: asyncio.Task[object]) -> bool:
        """Whether a cancelled task was cancelled by :meth:`cancel_disconnected`; it may then go on."""
        if task not in self._cancelled:
            return False
        self._cancelled.discard(task)
        task.uncancel()
        return True


class Disconnects:
    """Looks after the queues of some pools.

    Args:
        pools: asked each time, by name.
        calls: what they have not answered.
        connected: the ports of the clients that are there; may raise OSError when it can't tell.
    """

    def __init__(
        self, pools: Mapping[str, WorkerPool], calls: PendingCalls, connected: Callable[[], Collection[int]]
    ) -> None:
        self._pools = pools
        self._calls = calls
        self._connected = connected

    def __repr__(self) -> str:
        return f"Disconnects({list(self._pools)})"

    async def run(self) -> None:
        """Look every half a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.check()

    async def check(self) -> None:
        """Give up what no client waits for; cheap when no request has waited long."""
        if not any([(await pool.stats()).waiting >= _WAITED for pool in self._pools.values()]):
            return
        try:
            connected = self._connected()
        except OSError:  # no descriptor is left to ask with: nothing is given up on a guess
            return
        if given_up := self._calls.cancel_disconnected(connected):
            log.info("requests are given up: their clients left while they waited", requests=given_up)
