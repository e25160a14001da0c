"""The ``temporal`` plugin: starts and stops the pools and the host. The engine is imported when it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pyroadrunner.contracts import (
    POOL_KEYS,
    HasMetrics,
    HasPages,
    HasPipelines,
    HasPools,
    HasRpc,
    HasStatus,
    InterceptsTemporal,
    MetricFamily,
    Page,
    PageInfo,
    PipelineState,
    Plugin,
    PoolConfig,
    PoolFactory,
    PreparedReload,
    Reloadable,
    RpcMethod,
    Tracing,
    UnknownAction,
    WorkerPool,
    all_serve,
    destroy_pools,
    queue_metrics,
    start_pools,
)
from pyroadrunner.plugins.temporal.config import TemporalConfig
from pyroadrunner.plugins.temporal.errors import NotInstalled

if TYPE_CHECKING:
    from pyroadrunner.plugins.temporal.host import Host

ACTIVITIES, WORKFLOWS = "temporal", "temporal.workflows"
_ENV = {"RR_MODE": "temporal", "RR_CODEC": "protobuf"}
_START = 600.0  # seconds; RoadRunner waits 240 hours


class TemporalPlugin(Plugin, HasPools, HasRpc, HasMetrics, HasStatus, HasPipelines, HasPages, Reloadable):
    """Runs workflows and activities of Temporal in PHP."""

    name = "temporal"

    def __init__(
        self,
        config: TemporalConfig,
        factory: PoolFactory,
        tracing: Sequence[Tracing] = (),
        interceptors: Sequence[InterceptsTemporal] = (),
    ) -> None:
        self._config = config
        self._tracing = tracing
        self._interceptors = interceptors
        self._factory = factory
        self._pools: Mapping[str, WorkerPool] = {}
        self._host: Host | None = None

    def __repr__(self) -> str:
        return f"TemporalPlugin({self._host!r})"

    async def start(self) -> None:
        """Start the workers and ask them for their task queues. Temporal is connected in the background.

        Raises:
            NotInstalled: the extra is missing.
            UnknownInterceptor
            WorkerStartError: the workers failed to start.
            BadWorkerInfo: they have no task queues.
        """
        try:
            from pyroadrunner.plugins.temporal.host import Host
            from pyroadrunner.plugins.temporal.interceptors import Interceptors
            from pyroadrunner.plugins.temporal.tracing import Tracer
            from pyroadrunner.plugins.temporal.wrappers import Wrappers
        except ModuleNotFoundError as missing:
            if not (missing.name or "").startswith("temporalio"):
                raise
            raise NotInstalled(missing.name or "?") from missing
        interceptors = Interceptors(self._interceptors, self._config.interceptors)
        host = Host(self._config, Wrappers(Tracer(self._tracing), interceptors))
        self._pools = await start_pools(self._factory, _pool_configs(self._config), _ENV)
        try:
            await host.start(self._pools[WORKFLOWS], self._pools.get(ACTIVITIES))
        except BaseException:
            await host.stop(0.0, self._kill_activities)
            await destroy_pools(self._pools, 0.0)
            raise
        self._host = host

    async def stop(self, grace: float) -> None:
        """Poll no more, finish what runs, stop the workers."""
        until = asyncio.get_running_loop().time() + grace
        if self._host is not None:
            await self._host.stop(grace, self._kill_activities)
        await destroy_pools(self._pools, max(0.0, until - asyncio.get_running_loop().time()))

    async def _kill_activities(self) -> None:
        pool = self._pools.get(ACTIVITIES)
        if pool is not None:
            await pool.destroy(0.0)

    def pools(self) -> Mapping[str, WorkerPool]:
        """The activity workers, and the one workflow worker."""
        return self._pools

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.temporal.rpc import TemporalRpc

        assert self._host is not None, "rpc asks started plugins only"
        return TemporalRpc(self._host).methods()

    async def pipelines(self) -> Sequence[PipelineState]:
        """The task queues."""
        host = self._host
        if host is None:
            return []
        return [
            PipelineState(
                pipeline=info.task_queue,
                driver="temporal",
                queue=info.task_queue,
                ready=host.state == "ready",
                state=host.state,
                error_message=host.error,
            )
            for info in host.infos
        ]

    def pages(self) -> Sequence[PageInfo]:
        return (PageInfo(name="queues", title="Temporal"),) if self._host is not None else ()

    async def page(self, name: str) -> Page:
        from pyroadrunner.plugins.temporal.pages import queues_page

        assert self._host is not None
        return queues_page(self._host)

    async def run_action(self, page: str, action: str, row: str) -> str:
        raise UnknownAction(page, action)

    async def metrics(self) -> Sequence[MetricFamily]:
        return await queue_metrics(self.name, self._pools)

    async def healthy(self) -> bool:
        """Whether an activity worker (without them: the workflow worker) runs."""
        pool = self._pools.get(ACTIVITIES) or self._pools.get(WORKFLOWS)
        return pool is not None and await all_serve([pool])

    async def ready(self) -> bool:
        """Whether workers run and Temporal is connected."""
        return self._host is not None and self._host.state == "ready" and await self.healthy()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of ``temporal.activities``."""
        return {f"activities.{key}" for key in POOL_KEYS}

    async def prepare_reload(self, section: TemporalConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Nothing can fail."""
        configs = _pool_configs(section)
        return PreparedReload(lambda: self._reconfigure(configs))

    def _reconfigure(self, configs: Mapping[str, PoolConfig]) -> None:
        pool = self._pools.get(ACTIVITIES)
        if pool is not None:
            pool.reconfigure(configs[ACTIVITIES])


def _pool_configs(config: TemporalConfig) -> Mapping[str, PoolConfig]:
    activities = config.activities
    pools = {
        WORKFLOWS: PoolConfig(
            num_workers=1,
            max_queue_size=0,
            allocate_timeout=max(activities.allocate_timeout, _START),
            reset_timeout=activities.reset_timeout,
            destroy_timeout=activities.destroy_timeout,
            command=activities.command,
        )
    }
    if config.disable_activity_workers:
        return pools
    # The engine takes as many activities at a time as the worker's options allow; they may all wait for a worker.
    return {ACTIVITIES: msgspec.structs.replace(activities, max_queue_size=0), **pools}
