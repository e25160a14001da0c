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

PATIENCE = 0.5  # seconds for the brokers


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


class Overviews:
    """Looks at the server again and again.

    Pools answer at once; pipelines ask their brokers, and one that hangs must not hide the rest. After
    :data:`PATIENCE` seconds the last known states stand in, and the question goes on.
    """

    def __init__(
        self, plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses], queues: Sequence[HasPipelines]
    ) -> None:
        self._plugins = plugins
        self._sidecars = sidecars
        self._queues = queues
        self._started = time.time_ns()
        self._questions: dict[str, asyncio.Task[Sequence[PipelineState]]] = {}
        self._known: dict[str, list[PipelineView]] = {}

    async def take(self) -> Overview:
        """Look at all plugins."""
        await self._ask_brokers()
        found: dict[str, PluginView] = {}
        for plugin in self._plugins:
            view = found.setdefault(plugin.name, PluginView(name=plugin.name))
            for pool in list(plugin.pools().values()):
                view.pools.append(await _pool(pool))
                view.workers += await pool.workers()
        for sidecar in self._sidecars:
            found.setdefault(sidecar.name, PluginView(name=sidecar.name)).workers += await sidecar.workers()
        for name, pipelines in self._known.items():
            found.setdefault(name, PluginView(name=name)).pipelines += pipelines
        return Overview(
            time=time.time_ns(),
            pid=os.getpid(),
            version=__version__,
            started=self._started,
            plugins=list(found.values()),
        )

    def stop(self) -> None:
        """Give up questions that brokers have not answered."""
        for question in self._questions.values():
            question.cancel()

    async def _ask_brokers(self) -> None:
        for plugin in self._queues:
            if plugin.name not in self._questions:
                self._questions[plugin.name] = asyncio.ensure_future(plugin.pipelines())
        if self._questions:
            await asyncio.wait(list(self._questions.values()), timeout=PATIENCE)
        for name, question in list(self._questions.items()):
            if question.done():
                del self._questions[name]
                self._known[name] = [PipelineView.of(state) for state in question.result()]


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
