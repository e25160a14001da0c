"""The PHP process that runs all workflows: one exchange at a time, always with the process that has the run in memory.

Theory of operation: the process is held by a lease of its pool. When the lease ends (a crash, a reset) the generation
rises: exchanges of runs of an older generation fail with :class:`WorkerLost`, since the new process does not have
them. Exchanges of new runs wait for the next lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pyroadrunner.contracts import (
    Lease,
    LeaseEnded,
    Log,
    Payload,
    PoolClosed,
    PoolError,
    State,
    WorkerFailed,
    WorkerPool,
)
from pyroadrunner.plugins.temporal.envelope import read
from pyroadrunner.plugins.temporal.errors import BadAnswer, WorkerLost, WorkerStopped
from pyroadrunner.plugins.temporal.instance import Outgoing
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message

log = Log("temporal")

_RETRY = 1.0  # seconds before the next try to get a worker


class WorkflowWorker:
    """The process of the workflows.

    Args:
        pool: of one worker.
        on_replaced: called when a new process runs in place of another one; ``exchange`` works in it.

    Attributes:
        generation: of the process; rises when it is lost.
        pid: of the process; 0 = there is none now.
    """

    def __init__(
        self, pool: WorkerPool, on_lost: Callable[[], None], on_replaced: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self._pool = pool
        self._on_lost = on_lost
        self._on_replaced = on_replaced
        self._lease: Lease | None = None
        self._available = asyncio.Event()
        self._turn = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._told: asyncio.Future[None] | None = None
        self._stopped = False
        self.generation = 0
        self.pid = 0

    def __repr__(self) -> str:
        return f"WorkflowWorker(pid={self.pid}, generation={self.generation})"

    async def start(self) -> None:
        """Take the worker."""
        self._keeper = asyncio.create_task(self._keep(), name="temporal: the workflow worker")
        await self._available.wait()

    async def stop(self) -> None:
        """Return the worker to its pool. Exchanges fail from now on."""
        self.generation += 1
        self._stopped = True
        self._available.set()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def exchange(self, frame: Outgoing, generation: int, describe: Callable[[], str]) -> Sequence[Message]:
        """Send a frame and return the messages of the answer.

        Raises:
            WorkerLost: the process of this generation is gone.
            WorkerStopped: the server stops.
            BadAnswer: PHP refused the frame, or its answer is invalid.
        """
        if generation == self.generation:
            await self._available.wait()  # outside of the turn, which the keeper needs
        if self._stopped:
            raise WorkerStopped
        async with self._turn:
            lease = self._lease
            if generation != self.generation or lease is None:
                raise WorkerLost(self.pid, "it was replaced")
            payload = Payload(frame.context, frame.body)
            try:
                reply = await lease.exec(payload, timeout=0, describe=describe)
            except WorkerFailed as refused:
                raise BadAnswer(refused.text) from refused
            except (LeaseEnded, PoolClosed) as ended:
                raise WorkerLost(lease.pid, str(ended)) from ended
            except PoolError as crashed:
                self._lose(lease)
                raise WorkerLost(lease.pid, str(crashed)) from crashed
        return read(reply.body)

    async def _keep(self) -> None:
        """Hold a lease for as long as the plugin runs."""
        while True:
            try:
                async with self._pool.lease() as lease:
                    self._lease, self.pid = lease, lease.pid
                    first = not self.generation
                    if first:
                        self.generation = 1
                    self._available.set()
                    if not first:
                        log.info("a new workflow worker runs", pid=lease.pid)
                        self._told = asyncio.ensure_future(self._on_replaced())
                    reason = await lease.ended
                    self._lose(lease)
                    if reason == State.ERRORED.label:
                        log.warning("the workflow worker is gone: cached workflows are replayed", pid=lease.pid)
                    else:
                        log.info("the workflow worker is replaced: cached workflows are replayed", pid=lease.pid)
                    async with self._turn:  # the exchange in hand ends before the worker stops
                        pass
            except PoolClosed:
                self._stopped = True
                self._available.set()
                return
            except PoolError as failed:
                log.error("no workflow worker", error=str(failed))
                await asyncio.sleep(_RETRY)

    def _lose(self, lease: Lease) -> None:
        """The process runs no more exchanges of older generations."""
        if self._lease is lease:
            self._lease, self.pid = None, 0
            self._available.clear()
            self.generation += 1
            self._on_lost()
