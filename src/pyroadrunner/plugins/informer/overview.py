"""The whole server at one moment: the reply of ``informer.Overview``, for ``rr top``.

One call instead of three per plugin. It reads what pools and pipelines count anyway, so it costs requests nothing
between two calls; see docs/design/2026-11-30-top.md.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence

import msgspec

from pyroadrunner.contracts import HasPipelines, HasPools, HasProcesses, PipelineState, State, WorkerPool
from pyroadrunner.version import __version__
from pyroadrunner.workers.info import WorkerInfo


class PoolView(msgspec.Struct, kw_only=True, rename="camel"):
    """One pool.

    Attributes:
        workers: processes in it.
        busy: workers that run a call.
        free: workers that can take a call now.
        queued: calls that wait for a worker.
        oldest_wait: seconds the oldest of them has been waiting.
        calls: calls that workers were given since the start.
        failed: calls without a proper reply since the start.
    """

    name: str
    workers: int
    busy: int
    free: int
    queued: int
    oldest_wait: float
    calls: int
    failed: int


class PipelineView(msgspec.Struct, kw_only=True, rename="camel"):
    """One pipeline: ``contracts.PipelineState``."""

    name: str
    driver: str
    queue: str
    state: str
    error: str
    running: int
    active: int
    delayed: int
    reserved: int
    done: int
    failed: int

    @classmethod
    def of(cls, found: PipelineState) -> PipelineView:
        same = ("driver", "queue", "state", "running", "active", "delayed", "reserved", "done", "failed")
        return cls(name=found.pipeline, error=found.error_message, **{name: getattr(found, name) for name in same})


class PluginView(msgspec.Struct, kw_only=True):
    """One plugin with pools, other processes or pipelines."""

    name: str
    pools: list[PoolView] = []
    workers: list[WorkerInfo] = []
    pipelines: list[PipelineView] = []


class Overview(msgspec.Struct, kw_only=True):
    """The server.

    Attributes:
        time: of the reply, unix nanoseconds.
        pid: of the server.
        started: when it started, unix nanoseconds.
    """

    time: int
    pid: int
    version: str
    started: int
    plugins: list[PluginView]


async def overview(
    plugins: Sequence[HasPools],
    sidecars: Sequence[HasProcesses],
    queues: Sequence[HasPipelines],
    *,
    started: int,
) -> Overview:
    """Look at all plugins. Brokers are asked first, since one may take seconds to answer.

    Args:
        started: see :class:`Overview`.
    """
    found: dict[str, PluginView] = {}
    pipelines = await asyncio.gather(*(plugin.pipelines() for plugin in queues))
    for plugin in plugins:
        view = found.setdefault(plugin.name, PluginView(name=plugin.name))
        for pool in list(plugin.pools().values()):
            view.pools.append(await _pool(pool))
            view.workers += await pool.workers()
    for sidecar in sidecars:
        found.setdefault(sidecar.name, PluginView(name=sidecar.name)).workers += await sidecar.workers()
    for queue, states in zip(queues, pipelines, strict=True):
        view = found.setdefault(queue.name, PluginView(name=queue.name))
        view.pipelines += [PipelineView.of(state) for state in states]
    return Overview(
        time=time.time_ns(), pid=os.getpid(), version=__version__, started=started, plugins=list(found.values())
    )


async def _pool(pool: WorkerPool) -> PoolView:
    stats = await pool.stats()
    return PoolView(
        name=pool.name,
        workers=sum(stats.states.values()),
        busy=stats.states.get(State.WORKING, 0),
        free=stats.free,
        queued=stats.queued,
        oldest_wait=stats.waiting,
        calls=stats.calls,
        failed=stats.failed,
    )
