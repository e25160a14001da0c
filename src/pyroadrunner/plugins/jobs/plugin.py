"""The ``jobs`` plugin. The protobuf messages are imported when ``rpc_methods`` is called."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import (
    POOL_KEYS,
    EffectiveConfig,
    HasMetrics,
    HasPages,
    HasPipelines,
    HasPools,
    HasRpc,
    HasStatus,
    MetricFamily,
    NewJob,
    Page,
    PageInfo,
    PipelineState,
    Plugin,
    PoolFactory,
    PreparedReload,
    PushesJobs,
    Reloadable,
    RpcMethod,
    Tracing,
    WorkerPool,
    all_serve,
    queue_metrics,
)
from pyroadrunner.plugins.jobs.config import JobsConfig
from pyroadrunner.plugins.jobs.drivers.contract import Job
from pyroadrunner.plugins.jobs.metrics import job_metrics
from pyroadrunner.plugins.jobs.pages import JobPages
from pyroadrunner.plugins.jobs.pipelines import Pipelines
from pyroadrunner.plugins.jobs.push import Push
from pyroadrunner.plugins.jobs.tracing import PushTracer


class JobsPlugin(Plugin, HasPools, HasRpc, HasMetrics, HasStatus, HasPipelines, HasPages, PushesJobs, Reloadable):
    """Takes jobs over RPC, keeps them on brokers, and runs them on its workers."""

    name = "jobs"
    weight = 5  # before plugins whose requests push jobs, and so stopped after them

    def __init__(
        self, config: JobsConfig, factory: PoolFactory, effective: EffectiveConfig, tracing: Sequence[Tracing] = ()
    ) -> None:
        self._tracer = PushTracer(tracing)
        self._pipelines = Pipelines(config, factory, effective, self._tracer)
        self._pages = JobPages(self._pipelines, self._pipelines.failures)

    def __repr__(self) -> str:
        return f"JobsPlugin({self._pipelines!r})"

    async def start(self) -> None:
        """Make the pipelines, start the workers. Brokers are connected in the background.

        Raises:
            DriverNotInstalled: the Python package of a driver is missing.
            BrokersMissing: ``jobs.require_brokers`` is set, and a broker is away.
            WorkerStartError: the workers failed to start.
        """
        self._tracer.start()
        try:
            await self._pipelines.start()
        except BaseException:
            await self._pipelines.stop(0.0)
            raise

    async def stop(self, grace: float) -> None:
        """Receive no more jobs, give back those that wait, finish those that run, close the connections."""
        await self._pipelines.stop(grace)

    def pools(self) -> Mapping[str, WorkerPool]:
        """``jobs``, and one pool for each pipeline with its own; empty while nothing is consumed."""
        return self._pipelines.pools()

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.jobs.rpc import JobsRpc  # importing protobuf costs time and memory

        return JobsRpc(self._pipelines, self._tracer).methods()

    async def pipelines(self) -> Sequence[PipelineState]:
        """All pipelines."""
        return await self._pipelines.look()

    def pages(self) -> Sequence[PageInfo]:
        """Pipelines, and failed jobs."""
        return self._pages.infos

    async def page(self, name: str) -> Page:
        return await self._pages.page(name)

    async def run_action(self, page: str, action: str, row: str) -> str:
        return await self._pages.run_action(page, action, row)

    async def push_job(self, job: NewJob) -> None:
        """Push a job of another plugin.

        Raises:
            NoSuchPipeline, CallFailed
        """
        pipeline = self._pipelines.find(job.pipeline)
        pushed = Job(
            id=job.id,
            name=job.name,
            payload=job.payload,
            headers=job.headers,
            pipeline=pipeline.name,
            priority=job.priority or pipeline.settings.priority,
            delay=job.delay,
        )
        pending = Push(pipeline, [pushed], pipeline.figures.single, "jobs_plugin_push", self._tracer).begin()
        if pending is not None:
            await pending

    async def metrics(self) -> Sequence[MetricFamily]:
        pools = await queue_metrics(self.name, self.pools())
        return [*pools, *job_metrics(self._pipelines, self._pipelines.gone)]

    async def healthy(self) -> bool:
        """Whether each pool has a worker; without a consumed pipeline none is needed."""
        pools = self.pools()
        return not pools or await all_serve(pools.values())

    async def ready(self) -> bool:
        """Whether workers are alive, even if all are busy, and each pipeline is connected."""
        return await self.healthy() and all(pipeline.connection.connected for pipeline in self._pipelines)

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of ``jobs.pool``."""
        return {f"pool.{key}" for key in POOL_KEYS}

    async def prepare_reload(self, section: JobsConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Nothing can fail."""
        return PreparedReload(lambda: self._pipelines.reconfigure(section))
