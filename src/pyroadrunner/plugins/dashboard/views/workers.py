"""The workers: what each does now, its memory; restart, kill, more, fewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from pyroadrunner.contracts import (
    HasPools,
    HasProcesses,
    Log,
    NoSuchWorker,
    PoolStats,
    RoadRunnerError,
    State,
    UnknownAction,
    WorkerInfo,
    WorkerPool,
)

_POINTS = 90  # of a memory curve

log = Log("dashboard")


class UnknownPool(RoadRunnerError):
    """No plugin has a pool with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no pool {name!r}")


class Workers:
    """The workers of all plugins.

    Args:
        plugins: a live view of those with pools.
        sidecars: a live view of those with processes of their own.
    """

    def __init__(self, plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses]) -> None:
        self._plugins = plugins
        self._sidecars = sidecars
        self._curves: dict[int, deque[int]] = {}

    async def first(self) -> dict[str, Any]:
        """With the memory curves, as far as a browser has been looking."""
        now = await self.now()
        return {**now, "curves": {str(pid): list(curve) for pid, curve in self._curves.items()}}

    async def now(self) -> dict[str, Any]:
        """All pools and workers."""
        pools: list[dict[str, Any]] = []
        workers: list[dict[str, Any]] = []
        for plugin in self._plugins:
            for name, pool in plugin.pools().items():
                stats = await pool.stats()
                pools.append(
                    {
                        "name": name,
                        "workers": sum(stats.states.values()),
                        "busy": stats.states.get(State.WORKING, 0),
                        "free": stats.free,
                        "queued": stats.queued,
                        "waiting": round(stats.waiting, 3),
                        "added": stats.added,
                        "calls": stats.calls,
                        "failed": stats.failed,
                        "scalable": True,
                    }
                )
                workers += [_shown(info, name) for info in await pool.workers()]
        for sidecar in self._sidecars:
            found = await sidecar.workers()
            pools.append({"name": sidecar.name, "workers": len(found), "scalable": False})
            workers += [_shown(info, sidecar.name) for info in found]
        self._remember(workers)
        return {"pools": pools, "workers": workers}

    def forget(self) -> None:
        """Drop the memory curves: no browser looks any more."""
        self._curves.clear()

    async def run_action(self, action: str, row: str) -> str:
        """Run an action.

        Args:
            row: name of the pool, or ``pool/pid``.
        """
        name, slash, pid = row.rpartition("/")
        if slash:
            return await self._with_worker(action, name, int(pid) if pid.isdecimal() and len(pid) < 11 else -1)
        return await self._with_pool(action, row)

    async def _with_worker(self, action: str, name: str, pid: int) -> str:
        pool = self._pool(name)
        if pid < 0:
            raise NoSuchWorker(name, pid)
        if action == "restart":
            await pool.restart_worker(pid)
            return f"Worker {pid} is replaced when it has finished its call."
        if action == "kill":
            await pool.kill_worker(pid)
            return f"Worker {pid} was killed; another one starts in its place."
        raise UnknownAction("workers", action)

    async def _with_pool(self, action: str, name: str) -> str:
        for sidecar in self._sidecars:
            if sidecar.name == name and action == "reset":
                await sidecar.reset()
                return f"The processes of {name} were restarted."
        pool = self._pool(name)
        if action == "reset":
            await pool.reset()
            return f"The workers of {name} were replaced."
        if action == "add":
            await pool.add_worker()
            return f"{name} has one worker more, until the server stops."
        if action == "remove":
            before = _serving(await pool.stats())
            await pool.remove_worker()
            after = _serving(await pool.stats())
            return f"{name} has one worker less." if after < before else f"{name} keeps its last worker."
        raise UnknownAction("workers", action)

    def _pool(self, name: str) -> WorkerPool:
        for plugin in self._plugins:
            found = plugin.pools().get(name)
            if found is not None:
                return found
        raise UnknownPool(name)

    def _remember(self, workers: list[dict[str, Any]]) -> None:
        alive = {worker["pid"] for worker in workers}
        for pid in [pid for pid in self._curves if pid not in alive]:
            del self._curves[pid]
        for worker in workers:
            self._curves.setdefault(worker["pid"], deque(maxlen=_POINTS)).append(worker["memory"])


def _serving(stats: PoolStats) -> int:
    """Workers that take calls, now or after the running one."""
    return stats.states.get(State.READY, 0) + stats.states.get(State.WORKING, 0)


def _shown(info: WorkerInfo, pool: str) -> dict[str, Any]:
    return {
        "pid": info.pid,
        "pool": pool,
        "state": info.status_str,
        "calls": info.num_execs,
        "memory": info.memory_usage,
        "cpu_seconds": round(info.cpu_seconds, 2),
        "began": info.created / 1e9,
        "activity": info.activity or info.command,
        "since": info.activity_since / 1e9,
    }
