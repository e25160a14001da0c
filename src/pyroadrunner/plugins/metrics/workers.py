"""Metrics of the workers of all plugins (rpc-cli-config.md, section 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pyroadrunner.contracts import HasPools, MetricFamily, Sample
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.state import State

_PREFIXES = {"centrifuge": "rr_centrifugo"}  # other prefixes are derived from the plugin's name

Workers = Mapping[str, list[WorkerInfo]]


async def worker_metrics(plugin: HasPools) -> list[MetricFamily]:
    """Metrics of all workers of a plugin, with the label ``pool`` if it has several pools."""
    workers = {name: await pool.workers() for name, pool in plugin.pools().items()}
    return list(_families(_PREFIXES.get(plugin.name, f"rr_{plugin.name}"), workers)) if workers else []


def _families(prefix: str, workers: Workers) -> Iterator[MetricFamily]:
    totals: dict[str, tuple[str, Callable[[Sequence[WorkerInfo]], float]]] = {
        "total_workers": ("Workers.", len),
        "workers_memory_bytes": ("Resident memory of all workers.", _memory),
        "workers_ready": ("Workers waiting for a request.", lambda infos: _count(infos, State.READY)),
        "workers_working": ("Workers handling a request.", lambda infos: _count(infos, State.WORKING)),
        "workers_invalid": ("Workers in any other state.", _others),
    }
    for name, (text, figure) in totals.items():
        samples = [Sample(_pool(pool, workers), figure(infos)) for pool, infos in workers.items()]
        yield MetricFamily(f"{prefix}_{name}", "gauge", text, samples)
    yield MetricFamily(
        f"{prefix}_worker_state",
        "gauge",
        "State of each worker, in the label; the value is 0.",
        [Sample({**labels, "state": info.status_str}, 0) for labels, info in _each(workers)],
    )
    yield MetricFamily(
        f"{prefix}_worker_memory_bytes",
        "gauge",
        "Resident memory of each worker.",
        [Sample(labels, info.memory_usage) for labels, info in _each(workers)],
    )


def _each(workers: Workers) -> Iterator[tuple[dict[str, str], WorkerInfo]]:
    for pool, infos in workers.items():
        for info in infos:
            yield {**_pool(pool, workers), "pid": str(info.pid)}, info


def _pool(name: str, workers: Workers) -> dict[str, str]:
    return {"pool": name} if len(workers) > 1 else {}


def _memory(infos: Iterable[WorkerInfo]) -> int:
    return sum(info.memory_usage for info in infos)


def _count(infos: Iterable[WorkerInfo], state: State) -> int:
    return sum(info.status == state for info in infos)


def _others(infos: Iterable[WorkerInfo]) -> int:
    return sum(info.status not in (State.READY, State.WORKING) for info in infos)
