"""A worker held by one caller: until its release it gets the calls of that caller only.

For callers that need a free worker before they fetch the work (a message of a queue), and for calls that belong in one
process (workflows).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from pyroadrunner.workers.admission import check
from pyroadrunner.workers.call import OnCancel, Receiver, Submission
from pyroadrunner.workers.errors import LeaseEnded
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.state import State
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

    def submit_leased(
        self, lease: Lease, payload: Payload, receiver: Receiver, timeout: float | None
    ) -> Submission: ...

    def end_lease(self, lease: Lease) -> None:
        """The lease is over."""

    def enter_queue(self, request: LeaseRequest) -> None:
        """Give the request a worker now, or add it to the queue."""


class LeaseReceiver(Protocol):
    """Gets a lease in a callback of the event loop. Its methods must not raise."""

    def on_lease(self, lease: Lease) -> None:
        """A worker is free, and held from now on."""

    def on_error(self, error: Exception) -> None:
        """No worker comes: the pool stops, or the time is over."""


class Lease:
    """A worker that one caller holds.

    Attributes:
        pid: of the worker.
        ended: done once the worker takes no more calls (a limit, a reset, a crash, the pool stops), with the name of
            its state; never cancelled. Release the lease soon after: the pool waits for the worker.
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

    @property
    def ready(self) -> bool:
        """Whether the worker takes a call now."""
        return not self.released and self.worker.state is State.READY

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
    ) -> Reply:
        """Run a call on this worker, one at a time. Arguments as for :meth:`pyroadrunner.contracts.WorkerPool.exec`.

        Raises:
            LeaseEnded: the worker takes no more calls, or handed this one back without running it.
            ExecTimeout, WorkerCrashed, WorkerFailed, BadReply, EmptyPayload.
        """
        return await self._pool.exec_leased(self, payload, timeout, on_cancel, describe)

    def submit(self, payload: Payload, receiver: Receiver, *, timeout: float | None = None) -> Submission:
        """As :meth:`exec`, for hot paths: the outcome goes to callbacks, without a task and a future. The receiver is
        called after this has returned; when it has the reply it may submit the next call.

        Raises:
            LeaseEnded: the worker takes no more calls. The receiver gets it if the worker hands this one back.
            EmptyPayload.
        """
        return self._pool.submit_leased(self, payload, receiver, timeout)

    def end(self, reason: str) -> None:
        """Called by the pool: the worker takes no more calls."""
        if not self.ended.done():
            self.ended.set_result(reason)

    def release(self) -> None:
        """Return the worker to the pool. Idempotent."""
        if not self.released:
            self.released = True
            self.end("released")
            self._pool.end_lease(self)


class LeaseRequest:
    """A wait for a free worker, and its lease: ``async with pool.lease() as lease``; or :meth:`start`, with a receiver.

    It waits in the same queue as calls (``call_queue.py``).
    """

    __slots__ = ("_lease", "_pool", "accepted", "answer", "priority", "wait_timeout", "waits_since")

    def __init__(self, pool: LeaseOwner, priority: int, timeout: float | None) -> None:
        self.priority = priority
        self.wait_timeout: float | None = math.inf if timeout is None else timeout
        self._pool = pool
        self._lease: Lease | None = None
        self.accepted = self.waits_since = asyncio.get_running_loop().time()
        self.answer: asyncio.Future[Lease] | _Handover

    def start(self, receiver: LeaseReceiver) -> None:
        """Wait, and give the lease to a receiver, which may be called before this returns.

        Raises:
            PoolClosed
        """
        self.answer = _Handover(receiver)
        self._pool.enter_queue(self)

    def __repr__(self) -> str:
        return f"LeaseRequest({self._lease or 'waiting'})"

    async def __aenter__(self) -> Lease:
        self.answer = answer = asyncio.get_running_loop().create_future()
        try:
            self._pool.enter_queue(self)
            self._lease = await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().release()  # the worker came in the same turn of the loop
            raise
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lease is not None:
            self._lease.release()

    def fail(self, error: Exception) -> None:
        """No worker comes: raise an error in the waiting task, or give it to the receiver."""
        if not self.answer.done():
            self.answer.set_exception(error)


class _Handover:
    """The answer of a request with a receiver."""

    __slots__ = ("_receiver",)

    def __init__(self, receiver: LeaseReceiver) -> None:
        self._receiver: LeaseReceiver | None = receiver

    def done(self) -> bool:
        return self._receiver is None

    def set_result(self, lease: Lease) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.on_lease(lease)

    def set_exception(self, error: Exception) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.on_error(error)


def check_leased(lease: Lease, payload: Payload) -> None:
    """Refuse a call that the worker of a lease can't run now.

    Raises:
        LeaseEnded, EmptyPayload.
    """
    if lease.ended.done():
        raise LeaseEnded(lease.pid, lease.ended.result())
    if lease.worker.state is not State.READY:
        raise RuntimeError("a leased worker runs one call at a time")
    check(payload)
