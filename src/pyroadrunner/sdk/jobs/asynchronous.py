"""The asyncio client of the queues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from pyroadrunner.proto.jobs.v1 import jobs_pb2 as pb
from pyroadrunner.sdk.jobs import messages
from pyroadrunner.sdk.jobs.messages import HeaderValues, NewJob, PipelineStat
from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncJobs:
    """The queues of the running server.

    Args:
        rpc: the connection; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.jobs.Jobs`, with coroutines. Use it from one event loop.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncJobs({self._rpc!r})"

    async def __aenter__(self) -> AsyncJobs:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def push(
        self,
        pipeline: str,
        name: str,
        payload: bytes | str = b"",
        *,
        headers: Mapping[str, HeaderValues] | None = None,
        delay: int = 0,
        priority: int = 0,
        auto_ack: bool = False,
    ) -> str:
        """Push a job and return its id, once the broker has it. Arguments as for :class:`NewJob`."""
        job = NewJob(
            name=name, payload=payload, headers=headers or {}, delay=delay, priority=priority, auto_ack=auto_ack
        )
        await self._rpc.call_message("jobs.Push", messages.push(pipeline, job), pb.Empty)
        return job.id

    async def push_many(self, pipeline: str, jobs: Iterable[NewJob]) -> None:
        """Push jobs in order. After an error those before it are pushed."""
        await self._rpc.call_message("jobs.PushBatch", messages.push_many(pipeline, jobs), pb.Empty)

    async def declare(self, pipeline: str, driver: str, **options: Any) -> None:
        """Make a pipeline; it is paused. The options are keys of the driver's config."""
        await self._rpc.call_message("jobs.Declare", messages.declare(pipeline, driver, options), pb.Empty)

    async def pause(self, *pipelines: str) -> None:
        """Receive no more jobs from the broker; pushing still works."""
        await self._rpc.call_message("jobs.Pause", messages.pipelines(pipelines), pb.Empty)

    async def resume(self, *pipelines: str) -> None:
        """Receive jobs."""
        await self._rpc.call_message("jobs.Resume", messages.pipelines(pipelines), pb.Empty)

    async def destroy(self, *pipelines: str) -> None:
        """End pipelines; their jobs stay on the broker."""
        await self._rpc.call_message("jobs.Destroy", messages.pipelines(pipelines), pb.Pipelines)

    async def stats(self) -> list[PipelineStat]:
        """The state of all pipelines."""
        return messages.stats(await self._rpc.call_message("jobs.Stat", pb.Empty(), pb.Stats))
