"""A pool without behaviour: base class of fakes, which override the methods that they need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from pyroadrunner.workers.call import Call, OnCancel, Receiver, ReplyRule, Submission
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.events import PoolEvent
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseReceiver
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.stats import PoolStats


class UnusedPool:
    """Has every method of ``contracts.WorkerPool``; all but the statistics raise NotImplementedError."""

    name = "unused"

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        raise NotImplementedError

    def submit(
        self,
        payload: Payload,
        receiver: Receiver,
        *,
        timeout: float | None = None,
        priority: int = 0,
        rule: ReplyRule = ReplyRule.ONE,
    ) -> Submission:
        """Run :meth:`exec` in a task."""
        loop = asyncio.get_running_loop()
        submission = Submission(receiver, lambda: None)
        submission.call = Call(payload, submission, loop.time(), timeout, receiver.describe, priority)

        async def run() -> None:
            try:
                reply = await self.exec(payload, timeout=timeout, describe=receiver.describe, priority=priority)
            except Exception as error:
                submission.set_exception(error)
            else:
                submission.set_result(reply)

        self._submitted = loop.create_task(run())  # the loop alone keeps no reference
        return submission

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> AbstractAsyncContextManager[Lease]:
        raise NotImplementedError

    def request_lease(self, receiver: LeaseReceiver, *, priority: int = 0, timeout: float | None = None) -> None:
        raise NotImplementedError

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        raise NotImplementedError

    async def stats(self) -> PoolStats:
        return PoolStats()

    async def workers(self) -> list[WorkerInfo]:
        return []

    def reconfigure(self, config: PoolConfig) -> None:
        raise NotImplementedError

    async def reset(self) -> None:
        raise NotImplementedError

    async def add_worker(self) -> None:
        raise NotImplementedError

    async def remove_worker(self) -> None:
        raise NotImplementedError

    async def restart_worker(self, pid: int) -> None:
        raise NotImplementedError

    async def kill_worker(self, pid: int) -> None:
        raise NotImplementedError

    async def destroy(self, grace: float) -> None:
        raise NotImplementedError
