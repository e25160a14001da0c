"""What a pool promises, and the factory of pools. Plugins import both from ``contracts``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from pyroadrunner.workers.call import OnCancel, Receiver, ReplyRule, Submission
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.events import PoolEvent
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseReceiver
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.stats import PoolStats


class WorkerPool(Protocol):
    """A named pool of workers. All that takes time is async, so that a pool can move to another process later."""

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

        Safe to cancel. A waiting call leaves the queue; for a running one, ``on_cancel`` decides.

        Args:
            payload: sent to the worker; context and body must not both be empty.
            timeout: seconds the worker may take (for a streamed reply, for each frame) before it is killed; 0 = no
                limit, ``None`` = ``pool.supervisor.exec_ttl``. The wait for a worker is bounded by
                ``pool.allocate_timeout``, or by the caller (``asyncio.timeout``).
            on_cancel: ``FINISH``: the worker runs a cancelled call to its end and its reply is dropped; ``KILL``: the
                worker is killed and replaced.
            describe: returns what the call does, for ``rr workers -i`` and log lines; called only when needed.
            priority: lower numbers go first, if the pool's queue is ``FIFO``.

        Raises:
            QueueFull, NoFreeWorker, PoolClosed: no worker has seen the call.
            ExecTimeout, WorkerCrashed, BadReply: the worker failed and is replaced.
            WorkerFailed: the worker answered with an error and keeps running.
            WorkerRefused, EmptyPayload.
        """

    def submit(
        self,
        payload: Payload,
        receiver: Receiver,
        *,
        timeout: float | None = None,
        priority: int = 0,
        rule: ReplyRule = ReplyRule.ONE,
    ) -> Submission:
        """As :meth:`exec`, for hot paths: the outcome goes to callbacks, without a task and a future.

        The receiver may be called before this returns. To give the call up, cancel the returned submission.

        Args:
            rule: what becomes of a worker that sends no reply, or more than one.

        Raises:
            QueueFull, PoolClosed: no worker has seen the call.
            EmptyPayload.
        """

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> AbstractAsyncContextManager[Lease]:
        """Wait for a free worker and hold it: ``async with pool.lease() as lease: await lease.exec(payload)``.

        For callers that fetch work only when a worker is free, and for calls that belong to one process. The worker
        runs no other calls meanwhile. When it must stop (a limit, a reset, a crash, the pool stops), ``lease.ended``
        is done: release the lease then.

        Args:
            priority: as for :meth:`exec`; leases wait in the same queue as calls.
            timeout: seconds to wait for a worker; ``None`` = no limit.

        Raises:
            NoFreeWorker: none became free in time.
            PoolClosed: the pool stops.
        """

    def request_lease(self, receiver: LeaseReceiver, *, priority: int = 0, timeout: float | None = None) -> None:
        """As :meth:`lease`, for hot paths: the lease goes to a callback, without a task and a future. Use its
        ``submit``.

        The receiver may be called before this returns.

        Raises:
            PoolClosed: the pool stops.
        """

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call ``listener`` on the event loop with each event: a worker is ready, a worker has exited (with pid and
        cause), a reset began or ended.

        Returns:
            a function that ends the subscription.
        """

    def reconfigure(self, config: PoolConfig) -> None:
        """Apply new sizes, limits and timeouts immediately; workers are started and stopped in the background.
        ``command`` and ``debug`` do not change."""

    async def workers(self) -> list[WorkerInfo]: ...

    async def stats(self) -> PoolStats:
        """The current workers by state, the queue and the dynamic allocator. Cheap: no I/O."""

    async def reset(self) -> None:
        """Replace all workers. New ones are ready before old ones drain, so no call fails; on failure the old ones
        stay."""

    async def add_worker(self) -> None: ...

    async def remove_worker(self) -> None: ...

    async def restart_worker(self, pid: int) -> None:
        """Replace one worker; it finishes its call first. Returns at once.

        Raises:
            NoSuchWorker: no running worker of the pool has this pid.
        """

    async def kill_worker(self, pid: int) -> None:
        """Kill one worker; its call fails, and another worker starts in its place. Returns at once.

        Raises:
            NoSuchWorker: no running worker of the pool has this pid.
        """

    async def destroy(self, grace: float) -> None:
        """Refuse new calls, wait up to ``grace`` seconds for running ones, stop every worker."""


class PoolFactory(Protocol):
    """Makes pools: the ``server`` plugin, which has the command, the relay and the environment."""

    @abstractmethod
    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        """Start ``config.num_workers`` workers and return their pool.

        Args:
            name: shown to users, e.g. ``http`` or ``http.slow``.
            env: extra environment for the workers (``RR_MODE``...), over ``server.env``.
            queue: the order in which waiting calls are served.

        Raises:
            workers.errors.WorkerStartError: the command could not be started, or sent no hello in time.
        """
