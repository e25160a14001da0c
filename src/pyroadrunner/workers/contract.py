"""What a pool promises, and who makes one. Plugins import both from ``contracts``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.events import PoolEvent
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.stats import PoolStats


class WorkerPool(Protocol):
    """A named pool of workers. Whatever takes time is async: a pool may one day live in another process."""

    @property
    def name(self) -> str: ...

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        """Run one call on a free worker.

        Safe to cancel: a call that waits leaves the queue; of one that runs, ``on_cancel`` decides.

        Args:
            payload: what the worker gets; context and body must not both be empty.
            timeout: seconds the worker may take (for a streamed answer: for each frame) before it is killed; 0 = any
                time, ``None`` = ``pool.supervisor.exec_ttl``. The wait for a worker is bounded by
                ``pool.allocate_timeout``, or by the caller (``asyncio.timeout``).
            on_cancel: ``FINISH``: the worker runs a cancelled call to its end and its answer is dropped; ``KILL``: the
                worker is killed and replaced.
            describe: says what the call does, for ``rr workers -i`` and log lines; called only when asked.
            priority: lower ones go first, where the pool's queue is ``FIFO``.

        Raises:
            QueueFull, NoFreeWorker, PoolClosed: no worker has seen the call.
            ExecTimeout, WorkerCrashed, BadReply: the worker failed and is replaced.
            WorkerFailed: the worker answered with an error; it lives on.
            WorkerRefused, EmptyPayload.
        """

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> AbstractAsyncContextManager[Lease]:
        """Wait for a free worker and hold it: ``async with pool.lease() as lease: await lease.exec(payload)``.

        For callers that fetch work only when a worker is there, and for calls that belong to one process. The worker
        runs no other calls meanwhile. When it has to go (a limit, a reset, a crash, the pool stops), ``lease.ended``
        is done: release the lease then.

        Args:
            priority: as for :meth:`exec`; leases wait in the same queue as calls.
            timeout: seconds to wait for a worker; ``None`` = any time.

        Raises:
            NoFreeWorker: none became free in time.
            PoolClosed: the pool stops.
        """

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call ``listener`` on the event loop with each event: a worker is ready, a worker has gone (with pid and
        cause), a reset began or ended.

        Returns:
            a function that ends the subscription.
        """

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over sizes, limits and timeouts at once; workers come and go in the background. ``command`` and
        ``debug`` stay what they are."""

    async def workers(self) -> list[WorkerInfo]: ...

    async def stats(self) -> PoolStats:
        """The workers by state, the queue and the dynamic allocator, as they are now. Cheap: no I/O."""

    async def reset(self) -> None:
        """Rolling: new workers are ready before old ones drain; no request fails. On failure the old ones stay."""

    async def add_worker(self) -> None: ...

    async def remove_worker(self) -> None: ...

    async def destroy(self, grace: float) -> None:
        """Refuse new requests, wait up to ``grace`` seconds for running ones, stop every worker."""


class PoolFactory(Protocol):
    """Who makes pools: the ``server`` plugin, since it knows the command, the relay and the environment."""

    @abstractmethod
    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        """Start ``config.num_workers`` workers and return their pool.

        Args:
            name: how the pool is named to users, e.g. ``http`` or ``http.slow``.
            env: extra environment for the workers (``RR_MODE``...), over ``server.env``.
            queue: in which order waiting calls are served.

        Raises:
            workers.errors.WorkerStartError: the command could not be started, or did not say hello in time.
        """
