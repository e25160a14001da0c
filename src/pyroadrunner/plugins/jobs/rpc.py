"""The methods of ``jobs``: messages -> pipelines. The operations in errors are RoadRunner's (jobs.md, section 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from itertools import groupby

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.jobs.drivers.contract import Done, Job
from pyroadrunner.plugins.jobs.errors import CallFailed, EmptyId, NoSuchPipeline
from pyroadrunner.plugins.jobs.operator import buried_in, peek, purge, retry
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.pipelines import Pipelines
from pyroadrunner.plugins.jobs.push import Push
from pyroadrunner.plugins.jobs.tracing import PushTracer
from pyroadrunner.proto.jobs.v1 import jobs_pb2 as pb

Answer = pb.Empty | Awaitable[pb.Empty]
EMPTY = pb.Empty()


class JobsRpc:
    """Handles the calls of workers and of ``rr jobs``.

    Args:
        pipelines: all of them.
        tracer: adds the trace of a push to its headers.
    """

    def __init__(self, pipelines: Pipelines, tracer: PushTracer) -> None:
        self._pipelines = pipelines
        self._tracer = tracer

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Push": RpcMethod(self.push, message=pb.PushRequest),
            "PushBatch": RpcMethod(self.push_batch, message=pb.PushBatchRequest),
            "Pause": RpcMethod(self.pause, message=pb.Pipelines),
            "Resume": RpcMethod(self.resume, message=pb.Pipelines),
            "List": RpcMethod(self.list, message=pb.Empty),
            "Declare": RpcMethod(self.declare, message=pb.DeclareRequest),
            "Destroy": RpcMethod(self.destroy, message=pb.Pipelines),
            "Stat": RpcMethod(self.stat, message=pb.Empty),
            # Not in RoadRunner.
            "Peek": RpcMethod(self.peek, message=pb.JobsRequest),
            "Failed": RpcMethod(self.failed, message=pb.JobsRequest),
            "Retry": RpcMethod(self.retry, message=pb.JobsRequest),
            "Purge": RpcMethod(self.purge, message=pb.JobsRequest),
        }

    # -- pushing -------------------------------------------------------------------------------------------------------

    def push(self, request: pb.PushRequest) -> Answer:
        if not request.job.id:
            raise EmptyId
        name = request.job.options.pipeline
        operation = "rpc_push:\n\tjobs_plugin_push"
        pipeline = self._target(name, operation)
        pending = Push(
            pipeline, [_job(request.job, pipeline)], pipeline.figures.single, operation, self._tracer
        ).begin()
        return EMPTY if pending is None else _empty(pending)

    def push_batch(self, request: pb.PushBatchRequest) -> Answer:
        """Push groups of jobs with the same pipeline, in order. The first error ends it; what was pushed stays."""
        operation = "rpc_push_batch:\n\tjobs_plugin_push_batch"
        groups = [(name, list(group)) for name, group in groupby(request.jobs, lambda job: job.options.pipeline)]
        for at, (name, group) in enumerate(groups):
            pending = self._push_group(name, group, operation)
            if pending is not None:
                return _empty(self._push_rest(pending, groups[at + 1 :], operation))
        return EMPTY

    async def _push_rest(
        self, pending: Awaitable[None], groups: Sequence[tuple[str, list[pb.Job]]], operation: str
    ) -> None:
        await pending
        for name, group in groups:
            more = self._push_group(name, group, operation)
            if more is not None:
                await more

    def _push_group(self, name: str, group: Sequence[pb.Job], operation: str) -> Done:
        pipeline = self._target(name, operation)
        jobs = [_job(one, pipeline) for one in group]
        return Push(pipeline, jobs, pipeline.figures.batch, operation, self._tracer).begin()

    def _target(self, name: str, operation: str) -> JobPipeline:
        try:
            return self._pipelines.find(name)
        except NoSuchPipeline as error:
            raise CallFailed(operation, error) from error

    # -- pipelines -----------------------------------------------------------------------------------------------------

    async def pause(self, request: pb.Pipelines) -> pb.Empty:
        """Pause in order; the first error ends it."""
        for name in request.pipelines:
            await self._pipelines.pause(name)
        return EMPTY

    async def resume(self, request: pb.Pipelines) -> pb.Empty:
        """Resume in order; the first error ends it."""
        for name in request.pipelines:
            await self._pipelines.resume(name)
        return EMPTY

    def list(self, _: pb.Empty) -> pb.Pipelines:
        return pb.Pipelines(pipelines=[pipeline.name for pipeline in self._pipelines])

    async def declare(self, request: pb.DeclareRequest) -> pb.Empty:
        await self._pipelines.declare(dict(request.pipeline))
        return EMPTY

    async def destroy(self, request: pb.Pipelines) -> pb.Pipelines:
        """Destroy at the same time. An error does not stop the others, and hides their names, as in RoadRunner."""
        names = list(request.pipelines)
        results = await asyncio.gather(*map(self._pipelines.destroy, names), return_exceptions=True)
        for error in results:
            if isinstance(error, RoadRunnerError):
                raise CallFailed("rpc_destroy_pipeline:\n\tjobs_plugin_destroy", error) from error
            if error is not None:
                raise error
        return pb.Pipelines(pipelines=names)

    async def stat(self, _: pb.Empty) -> pb.Stats:
        found = await asyncio.gather(*(pipeline.look() for pipeline in self._pipelines))
        return pb.Stats(
            stats=[
                pb.Stat(
                    pipeline=one.pipeline,
                    driver=one.driver,
                    queue=one.queue,
                    active=one.active,
                    delayed=one.delayed,
                    reserved=one.reserved,
                    ready=one.ready,
                    priority=max(0, one.priority),
                    state=one.state,
                    error_message=one.error_message,
                )
                for one in found
            ]
        )

    # -- for operators -------------------------------------------------------------------------------------------------

    async def peek(self, request: pb.JobsRequest) -> pb.Jobs:
        return _messages(await peek(self._pipelines.find(request.pipeline), request.limit, request.ids))

    async def failed(self, request: pb.JobsRequest) -> pb.Jobs:
        """The dead letters of a pipeline, or of all."""
        return _messages(await buried_in(self._pipelines, request.pipeline, request.limit, request.ids))

    async def retry(self, request: pb.JobsRequest) -> pb.Count:
        return pb.Count(count=await retry(self._pipelines, request.pipeline, request.limit, request.ids))

    async def purge(self, request: pb.JobsRequest) -> pb.Count:
        return pb.Count(count=await purge(self._pipelines.find(request.pipeline), request.ids))


async def _empty(pending: Awaitable[None]) -> pb.Empty:
    await pending
    return EMPTY


def _job(message: pb.Job, pipeline: JobPipeline) -> Job:
    options = message.options
    headers = message.headers
    return Job(
        id=message.id,
        name=message.job,
        payload=message.payload,
        headers={name: list(header.value) for name, header in headers.items()} if headers else {},
        pipeline=pipeline.name,
        priority=options.priority or pipeline.settings.priority,
        delay=max(0, options.delay),
        auto_ack=options.auto_ack,
        topic=options.topic,
        metadata=options.metadata,
        offset=options.offset,
        partition=options.partition,
    )


def _messages(jobs: Sequence[Job]) -> pb.Jobs:
    return pb.Jobs(
        jobs=[
            pb.Job(
                job=job.name,
                id=job.id,
                payload=job.payload,
                headers={name: pb.HeaderValue(value=values) for name, values in job.headers.items()},
                options=pb.Options(
                    priority=job.priority, pipeline=job.pipeline, delay=job.delay, auto_ack=job.auto_ack
                ),
            )
            for job in jobs
        ]
    )
