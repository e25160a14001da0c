"""A worker held by one caller: it gets that caller's calls and no others until it is released.

For callers that must have a worker before they fetch the work (a queue's message), and for those whose calls belong
together in one process (workflows).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.worker import Worker


class LeaseOwner(Protocol):
    """The pool behind a lease."""

    async def exec_leased(
        self,
        lease: Lease,
        payload: Payload,
        timeout: float | None,
        on_cancel: OnCancel,
        describe: Callable[[], str] | None,
    ) -> Reply: ...

    def end_lease(self, lease: Lease) -> None:
        """The lease is over."""

    def enter_queue(self, request: LeaseRequest) -> None:
        """Give the request a worker now, or let it wait for one."""


class Lease:
    """One worker, held.

    Attributes:
        pid: of the worker.
        ended: done once the worker takes no more calls (a limit, a reset, a crash, the pool stops), with the name
            of its state; never cancelled. Release the lease soon after: the worker is waited for.
    """

    def __init__(self, worker: Worker, pool: LeaseOwner) -> None:
        self.worker = worker
        self.pid = worker.pid
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.released = False
        self._pool = pool

    def __repr__(self) -> str:
        state = "released" if self.released else f"ended: {self.ended.result()}" if self.ended.done() else "held"
        return f"Lease(pid={self.pid}, {state})"

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
    ) -> Reply:
        """Run a call on this worker; one at a time. Arguments as :meth:`pyroadrunner.contracts.WorkerPool.exec`.

        Raises:
            LeaseEnded: the worker takes no more calls, or handed this one back: nothing of it was done.
            ExecTimeout, WorkerCrashed, WorkerFailed, BadReply, EmptyPayload.
        """
        return await self._pool.exec_leased(self, payload, timeout, on_cancel, describe)

    def end(self, reason: str) -> None:
        """The worker takes no more calls. For the pool."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def release(self) -> None:
        """Give the worker back. Idempotent."""
        if not self.released:
            self.released = True
            self.end("released")
            self._pool.end_lease(self)


class LeaseRequest:
    """A wait for a free worker, and its lease: ``async with pool.lease() as lease``.

    In the queue it is an entry beside calls (see ``call_queue.py``).
    """

    __slots__ = ("_lease", "_pool", "accepted", "answer", "priority", "wait_timeout", "waits_since")

    def __init__(self, pool: LeaseOwner, priority: int, timeout: float | None) -> None:
        self.priority = priority
        self.wait_timeout: float | None = math.inf if timeout is None else timeout
        self._pool = pool
        self._lease: Lease | None = None

    def __repr__(self) -> str:
        return f"LeaseRequest({self._lease or 'waiting'})"

    async def __aenter__(self) -> Lease:
        loop = asyncio.get_running_loop()
        self.accepted = self.waits_since = loop.time()
        self.answer: asyncio.Future[Lease] = loop.create_future()
        try:
            self._pool.enter_queue(self)
            self._lease = await self.answer
        except asyncio.CancelledError:
            if self.answer.done() and not self.answer.cancelled() and self.answer.exception() is None:
                self.answer.result().release()  # both happened in one turn of the loop
            raise
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lease is not None:
            self._lease.release()

    def fail(self, error: Exception) -> None:
        """Give an error to the task that waits."""
        if not self.answer.done():
            self.answer.set_exception(error)
