"""The methods of the service ``informer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from pyroadrunner.contracts import HasPipelines, HasPools, HasProcesses, PipelineState, RpcMethod, WorkerPool
from pyroadrunner.plugins.informer.errors import NotAWorker, NoWorkers
from pyroadrunner.plugins.informer.overview import Overview, Overviews
from pyroadrunner.workers.info import PublicWorkerInfo, WorkerInfo


class Workers(msgspec.Struct):
    """The reply of ``informer.Workers``."""

    workers: list[PublicWorkerInfo]


class WorkerDetails(msgspec.Struct):
    """The reply of ``informer.WorkerDetails``."""

    workers: list[WorkerInfo]


class JobsView(msgspec.Struct, rename="pascal"):
    """A queue with RoadRunner's keys, which are Go's names; ``State`` is not in RoadRunner."""

    pipeline: str
    driver: str
    queue: str
    active: int
    delayed: int
    reserved: int
    ready: bool
    priority: int
    error_message: str
    state: str

    @classmethod
    def of(cls, found: PipelineState) -> JobsView:
        return cls(**{name: getattr(found, name) for name in cls.__struct_fields__})


def methods(
    plugins: Sequence[HasPools],
    sidecars: Sequence[HasProcesses] = (),
    queues: Sequence[HasPipelines] = (),
    overviews: Overviews | None = None,
) -> Mapping[str, RpcMethod]:
    """The methods, for the plugins that are running at the time of the call."""
    looks = overviews or Overviews(plugins, sidecars, queues)

    def names(_: bool) -> list[str]:
        return [plugin.name for plugin in plugins] + [sidecar.name for sidecar in sidecars]

    async def found_workers(name: str) -> list[WorkerInfo]:
        """The workers of all pools of a plugin and its other processes, or of one named pool. Empty for an unknown
        plugin: RoadRunner returns null, which breaks PHP's client."""
        found: list[WorkerInfo] = []
        pools = _pools(plugins, name)
        if "." in name and not pools:
            raise NoWorkers(name)
        for pool in pools:
            found += await pool.workers()
        for sidecar in sidecars:
            if sidecar.name == name:
                found += await sidecar.workers()
        return found

    async def workers(name: str) -> Workers:
        """The workers with exactly RoadRunner's keys, for published clients."""
        return Workers([info.public() for info in await found_workers(name)])

    async def worker_details(name: str) -> WorkerDetails:
        """The workers with additional keys (``pool``, ``activity``, ``activitySince``, ``cpuSeconds``); not in
        RoadRunner."""
        return WorkerDetails(await found_workers(name))

    async def jobs(name: str) -> list[JobsView] | None:
        """The pipelines of a plugin; null if it has none, as in RoadRunner."""
        found = [JobsView.of(one) for plugin in queues if plugin.name == name for one in await plugin.pipelines()]
        return found or None

    async def add_worker(name: str) -> bool:
        await _default_pool(plugins, name).add_worker()
        return False  # the zero value of an unused result, as in RoadRunner

    async def remove_worker(name: str) -> bool:
        await _default_pool(plugins, name).remove_worker()
        return False

    async def whole_server(_: bool) -> Overview:
        """All plugins at once; not in RoadRunner."""
        return await looks.take()

    async def restart_worker(pid: int) -> bool:
        """Replace one worker once it is free; not in RoadRunner."""
        await (await _pool_of(plugins, pid)).restart_worker(pid)
        return True

    async def kill_worker(pid: int) -> bool:
        """Kill one worker, with its call; not in RoadRunner."""
        await (await _pool_of(plugins, pid)).kill_worker(pid)
        return True

    return {
        "List": RpcMethod(names),
        "Workers": RpcMethod(workers, str),
        "WorkerDetails": RpcMethod(worker_details, str),
        "Jobs": RpcMethod(jobs, str),
        "AddWorker": RpcMethod(add_worker, str),
        "RemoveWorker": RpcMethod(remove_worker, str),
        "Overview": RpcMethod(whole_server),
        "RestartWorker": RpcMethod(restart_worker, int),
        "KillWorker": RpcMethod(kill_worker, int),
    }


async def _pool_of(plugins: Sequence[HasPools], pid: int) -> WorkerPool:
    """The pool of a worker. Other processes than workers of pools can't be stopped over RPC."""
    for plugin in plugins:
        for pool in list(plugin.pools().values()):
            if any(info.pid == pid for info in await pool.workers()):
                return pool
    raise NotAWorker(pid)


def _pools(plugins: Sequence[HasPools], name: str) -> list[WorkerPool]:
    """All pools of a plugin, or the named one: ``http.slow``."""
    found = [pool for plugin in plugins if plugin.name == name for pool in plugin.pools().values()]
    return found or [pool for plugin in plugins for pool in plugin.pools().values() if pool.name == name]


def _default_pool(plugins: Sequence[HasPools], name: str) -> WorkerPool:
    pools = _pools(plugins, name)
    if not pools:
        raise NoWorkers(name)
    return pools[0]
