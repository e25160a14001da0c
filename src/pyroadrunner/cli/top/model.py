"""What ``rr top`` shows, computed from overviews of the server: rates, current CPU, sorted and filtered rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroadrunner.cli.plugin_names import chosen

_JOBS = "jobs"
_SECOND_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """One pool.

    Attributes:
        oldest_wait: seconds the oldest queued call has been waiting.
        calls, failed: since the start of the server.
        calls_per_second, failed_per_second: since the last overview; ``None`` = there is no earlier one.
        memory: resident bytes of its workers.
        cpu: percent of one CPU, of its workers together.
    """

    plugin: str
    name: str
    workers: int
    busy: int
    free: int
    queued: int
    oldest_wait: float
    calls: int
    failed: int
    calls_per_second: float | None
    failed_per_second: float | None
    memory: int
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRow:
    """One pipeline of jobs.

    Attributes:
        running: jobs that workers run now.
        active, delayed, reserved: jobs, as the broker counts them.
        done, failed: since the start of the server.
    """

    plugin: str
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
    done_per_second: float | None
    failed_per_second: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One worker, or another process of the server.

    Attributes:
        pool: empty for a process outside a pool.
        cpu: percent of one CPU since the last overview; of a new worker since its start.
        age: seconds since its start; ``None`` = unknown.
        busy_for: seconds since its call began; ``None`` = it has none.
        activity: its call, or the command of a process outside a pool.
    """

    plugin: str
    pool: str
    pid: int
    status: str
    execs: int
    memory: int
    cpu: float
    age: float | None
    busy_for: float | None
    activity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over all pools and pipelines that are shown. Jobs and their failures are counted by pipelines."""

    requests_per_second: float | None
    jobs_per_second: float | None
    errors_per_second: float | None
    workers: int
    busy: int
    queued: int
    memory: int
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The server at one moment.

    Attributes:
        pid: of the server; 0 = unknown.
        version: of pyroadrunner; empty = unknown.
        uptime: seconds; ``None`` = unknown.
    """

    pid: int
    version: str
    uptime: float | None
    totals: Totals
    pools: Sequence[PoolRow]
    pipelines: Sequence[PipelineRow]
    workers: Sequence[WorkerRow]


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The counters of an overview, by plugin and name; of workers by pid and start."""

    time: int
    pid: int
    calls: Mapping[tuple[str, str], tuple[int, int]]
    jobs: Mapping[tuple[str, str], tuple[int, int]]
    cpu: Mapping[tuple[int, int], float]


class Model:
    """Turns overviews into views. Rates need two overviews of the same server process."""

    def __init__(self, plugins: Collection[str] = ()) -> None:
        """
        Args:
            plugins: the only plugins and pools to show; empty = all.
        """
        self._plugins = list(plugins)
        self._earlier: _Earlier | None = None

    def update(self, overview: Mapping[str, Any]) -> View:
        """The view of a new overview.

        Raises:
            UnknownPlugin: a plugin to show is not there.
        """
        chosen(self._plugins, [plugin["name"] for plugin in overview["plugins"]])
        now, earlier = overview["time"], self._earlier
        same = earlier is not None and earlier.pid == overview["pid"] and earlier.time < now
        rates = _Rates(now, earlier if same else None)
        workers = [
            _worker(plugin["name"], worker, rates)
            for plugin in overview["plugins"]
            for worker in plugin["workers"]
            if self._shows(plugin["name"], worker.get("pool", ""))
        ]
        pools = [
            _pool(plugin["name"], pool, workers, rates)
            for plugin in overview["plugins"]
            for pool in plugin["pools"]
            if self._shows(plugin["name"], pool["name"])
        ]
        pipelines = [
            _pipeline(plugin["name"], pipeline, rates)
            for plugin in overview["plugins"]
            for pipeline in plugin["pipelines"]
            if self._shows(plugin["name"])
        ]
        self._earlier = _counters(overview)
        started = overview["started"]
        return View(
            pid=overview["pid"],
            version=overview["version"],
            uptime=(now - started) / _SECOND_NS if started else None,
            totals=_totals(pools, pipelines, workers),
            pools=pools,
            pipelines=sorted(pipelines, key=lambda row: row.name),
            workers=sorted(workers, key=lambda row: row.pid),
        )

    def _shows(self, plugin: str, pool: str = "") -> bool:
        return not self._plugins or plugin in self._plugins or pool in self._plugins


class _Rates:
    """Differences to the earlier overview per second."""

    def __init__(self, now: int, earlier: _Earlier | None) -> None:
        self.now = now
        self._earlier = earlier
        self._seconds = (now - earlier.time) / _SECOND_NS if earlier is not None else 0.0

    def calls(self, key: tuple[str, str], count: int, failed: int) -> tuple[float | None, float | None]:
        return self._pair(self._earlier.calls.get(key) if self._earlier else None, count, failed)

    def jobs(self, key: tuple[str, str], done: int, failed: int) -> tuple[float | None, float | None]:
        return self._pair(self._earlier.jobs.get(key) if self._earlier else None, done, failed)

    def cpu(self, worker: Mapping[str, Any]) -> float:
        before = self._earlier.cpu.get((worker["pid"], worker["created"])) if self._earlier else None
        if before is None:
            return float(worker["CPUPercent"])
        used: float = worker["cpuSeconds"] - before
        return max(used, 0.0) / self._seconds * 100

    def _pair(self, before: tuple[int, int] | None, first: int, second: int) -> tuple[float | None, float | None]:
        if before is None:
            return None, None
        return max(first - before[0], 0) / self._seconds, max(second - before[1], 0) / self._seconds


def _pool(plugin: str, pool: Mapping[str, Any], workers: Iterable[WorkerRow], rates: _Rates) -> PoolRow:
    calls, failed = rates.calls((plugin, pool["name"]), pool["calls"], pool["failed"])
    own = [worker for worker in workers if (worker.plugin, worker.pool) == (plugin, pool["name"])]
    return PoolRow(
        plugin=plugin,
        name=pool["name"],
        workers=pool["workers"],
        busy=pool["busy"],
        free=pool["free"],
        queued=pool["queued"],
        oldest_wait=pool["oldestWait"],
        calls=pool["calls"],
        failed=pool["failed"],
        calls_per_second=calls,
        failed_per_second=failed,
        memory=sum(worker.memory for worker in own),
        cpu=sum(worker.cpu for worker in own),
    )


def _pipeline(plugin: str, pipeline: Mapping[str, Any], rates: _Rates) -> PipelineRow:
    done, failed = rates.jobs((plugin, pipeline["name"]), pipeline["done"], pipeline["failed"])
    return PipelineRow(plugin=plugin, done_per_second=done, failed_per_second=failed, **pipeline)


def _worker(plugin: str, worker: Mapping[str, Any], rates: _Rates) -> WorkerRow:
    created, since = worker["created"], worker.get("activitySince", 0)
    return WorkerRow(
        plugin=plugin,
        pool=worker.get("pool", ""),
        pid=worker["pid"],
        status=worker["statusStr"],
        execs=worker["numExecs"],
        memory=worker["memoryUsage"],
        cpu=rates.cpu(worker),
        age=max(rates.now - created, 0) / _SECOND_NS if created else None,
        busy_for=max(rates.now - since, 0) / _SECOND_NS if since else None,
        activity=worker.get("activity", "") or worker["command"],
    )


def _counters(overview: Mapping[str, Any]) -> _Earlier:
    plugins = overview["plugins"]
    return _Earlier(
        overview["time"],
        overview["pid"],
        {(one["name"], pool["name"]): (pool["calls"], pool["failed"]) for one in plugins for pool in one["pools"]},
        {(one["name"], line["name"]): (line["done"], line["failed"]) for one in plugins for line in one["pipelines"]},
        {
            (worker["pid"], worker["created"]): worker["cpuSeconds"]
            for one in plugins
            for worker in one["workers"]
            if "cpuSeconds" in worker
        },
    )


def _totals(pools: Sequence[PoolRow], pipelines: Sequence[PipelineRow], workers: Sequence[WorkerRow]) -> Totals:
    others = [pool for pool in pools if pool.plugin != _JOBS]
    jobs = [_sum((line.done_per_second, line.failed_per_second)) for line in pipelines]
    errors = [pool.failed_per_second for pool in others] + [line.failed_per_second for line in pipelines]
    return Totals(
        requests_per_second=_sum(pool.calls_per_second for pool in others),
        jobs_per_second=_sum(jobs),
        errors_per_second=_sum(errors),
        workers=sum(pool.workers for pool in pools),
        busy=sum(pool.busy for pool in pools),
        queued=sum(pool.queued for pool in others),  # that of jobs has requests for a worker, not jobs
        memory=sum(worker.memory for worker in workers),
        cpu=sum(worker.cpu for worker in workers),
    )


def _sum(rates: Iterable[float | None]) -> float | None:
    """The sum of the known rates; ``None`` if none is known."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


# -- order and filter --------------------------------------------------------------------------------------------------

SORTS: Mapping[str, tuple[Callable[[WorkerRow], Any], bool]] = {  # by key of the column; True = largest first
    "pid": (lambda row: row.pid, False),
    "pool": (lambda row: (row.plugin, row.pool), False),
    "status": (lambda row: row.status, False),
    "execs": (lambda row: row.execs, True),
    "memory": (lambda row: row.memory, True),
    "cpu": (lambda row: round(row.cpu), True),
    "created": (lambda row: row.age or 0.0, False),
    # Whole seconds: under load the rows of short requests would change places with every update.
    "for": (lambda row: int(row.busy_for) if row.busy_for is not None else -1, True),
    "now": (lambda row: row.activity, False),
}


def arranged(rows: Iterable[WorkerRow], sort: str, *, reverse: bool = False, text: str = "") -> list[WorkerRow]:
    """The rows that contain ``text`` in any case, sorted; equal rows by pool and pid.

    Args:
        sort: a key of :data:`SORTS`.
        reverse: against the usual order of that column.
        text: of pid, pool, status or activity; empty = all rows.
    """
    key, largest_first = SORTS[sort]
    needle = text.casefold()
    found = [
        row for row in rows if needle in f"{row.pid} {row.plugin} {row.pool} {row.status} {row.activity}".casefold()
    ]
    found.sort(key=lambda row: (row.plugin, row.pool, row.pid))
    found.sort(key=key, reverse=largest_first is not reverse)
    return found
