"""The methods of the service ``informer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from pyroadrunner.contracts import HasPools, HasProcesses, RpcMethod, WorkerPool
from pyroadrunner.plugins.informer.errors import NoWorkers
from pyroadrunner.workers.info import PublicWorkerInfo, WorkerInfo


class Workers(msgspec.Struct):
    """The answer of ``informer.Workers``."""

    workers: list[PublicWorkerInfo]


class WorkerDetails(msgspec.Struct):
    """The answer of ``informer.WorkerDetails``."""

    workers: list[WorkerInfo]


def methods(plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses] = ()) -> Mapping[str, RpcMethod]:
    """``List``, ``Workers``, ``WorkerDetails``, ``Jobs``, ``AddWorker``, ``RemoveWorker``, over the plugins that run at
    the time."""

    def names(_: bool) -> list[str]:
        return [plugin.name for plugin in plugins] + [sidecar.name for sidecar in sidecars]

    async def found_workers(name: str) -> list[WorkerInfo]:
        """Of every pool of the plugin and the processes it has besides, or of the one pool of that name. None for a
        plugin that is not there: RoadRunner answers null, and PHP's client falls over it."""
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
        """With exactly the keys of RoadRunner, which published clients know."""
        return Workers([info.public() for info in await found_workers(name)])

    async def worker_details(name: str) -> WorkerDetails:
        """With keys of ours besides (``pool``, ``activity``, ``activitySince``); RoadRunner has no such method."""
        return WorkerDetails(await found_workers(name))

    def jobs(_: str) -> None:
        """The pipelines of a plugin; null for one without, as in RoadRunner."""

    async def add_worker(name: str) -> bool:
        await _default_pool(plugins, name).add_worker()
        return False  # the zero value of a result nobody looks at, as in RoadRunner

    async def remove_worker(name: str) -> bool:
        await _default_pool(plugins, name).remove_worker()
        return False

    return {
        "List": RpcMethod(names),
        "Workers": RpcMethod(workers, str),
        "WorkerDetails": RpcMethod(worker_details, str),
        "Jobs": RpcMethod(jobs, str),
        "AddWorker": RpcMethod(add_worker, str),
        "RemoveWorker": RpcMethod(remove_worker, str),
    }


def _pools(plugins: Sequence[HasPools], name: str) -> list[WorkerPool]:
    """All of a plugin, or the one that is named: ``http.slow``."""
    found = [pool for plugin in plugins if plugin.name == name for pool in plugin.pools().values()]
    return found or [pool for plugin in plugins for pool in plugin.pools().values() if pool.name == name]


def _default_pool(plugins: Sequence[HasPools], name: str) -> WorkerPool:
    pools = _pools(plugins, name)
    if not pools:
        raise NoWorkers(name)
    return pools[0]
