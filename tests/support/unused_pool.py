"""A base class for fake pools, which override the methods that their test uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.events import PoolEvent
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.stats import PoolStats


class UnusedPool:
    """Has every method of ``contracts.WorkerPool``; each raises NotImplementedError, except for the statistics."""

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

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> AbstractAsyncContextManager[Lease]:
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

    async def destroy(self, grace: float) -> None:
        raise NotImplementedError
