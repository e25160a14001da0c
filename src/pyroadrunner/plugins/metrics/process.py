"""Metrics of the server process: ``process_*``, named as in Prometheus' clients, and ``python_*``."""

from __future__ import annotations

import asyncio
import gc
import platform
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from pyroadrunner.contracts import MetricFamily, Sample

_PROCESS = psutil.Process()
_NETWORK = Path("/proc/self/net/netstat")


def process_metrics() -> list[MetricFamily]:
    """The current values. Those that the system does not provide are left out."""
    return [*_process(), *_network(), *_python()]


def _one(name: str, kind: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, kind, text, [Sample({}, value)])


def _process() -> Iterator[MetricFamily]:
    with _PROCESS.oneshot():
        times, memory, start = _PROCESS.cpu_times(), _PROCESS.memory_info(), _PROCESS.create_time()
        descriptors = _PROCESS.num_fds()
    yield _one("process_cpu_seconds_total", "counter", "User and system CPU time.", times.user + times.system)
    yield _one("process_open_fds", "gauge", "Open file descriptors.", descriptors)
    yield _one("process_max_fds", "gauge", "Most file descriptors.", _limit(resource.RLIMIT_NOFILE))
    yield _one("process_resident_memory_bytes", "gauge", "Resident memory.", memory.rss)
    yield _one("process_virtual_memory_bytes", "gauge", "Virtual memory.", memory.vms)
    yield _one("process_virtual_memory_max_bytes", "gauge", "Most virtual memory.", _limit(resource.RLIMIT_AS))
    yield _one("process_start_time_seconds", "gauge", "Start of the process, Unix time.", start)


def _limit(which: int) -> float:
    soft = resource.getrlimit(which)[0]
    return 2.0**64 if soft == resource.RLIM_INFINITY else soft  # Go's client reports this if there is no limit


def _network() -> Iterator[MetricFamily]:
    """Traffic of the whole network namespace, as in Prometheus' clients; Linux only."""
    try:
        lines = [line.split() for line in _NETWORK.read_text().splitlines() if line.startswith("IpExt:")]
    except OSError:
        return
    found = dict(zip(*lines, strict=False)) if len(lines) == 2 else {}
    for name, key in (("receive", "InOctets"), ("transmit", "OutOctets")):
        if key in found:
            text = f"Bytes of the network namespace, {name}."
            yield _one(f"process_network_{name}_bytes_total", "counter", text, int(found[key]))


def _python() -> Iterator[MetricFamily]:
    major, minor, patch = map(str, sys.version_info[:3])
    about = {"implementation": platform.python_implementation(), "version": platform.python_version()}
    labels = {**about, "major": major, "minor": minor, "patchlevel": patch}
    yield MetricFamily("python_info", "gauge", "The Python that runs the server.", [Sample(labels, 1)])
    for key, name in (
        ("collections", "python_gc_collections_total"),
        ("collected", "python_gc_objects_collected_total"),
        ("uncollectable", "python_gc_objects_uncollectable_total"),
    ):
        samples = [Sample({"generation": str(number)}, one[key]) for number, one in enumerate(gc.get_stats())]
        yield MetricFamily(name, "counter", f"Garbage collector: {key}.", samples)
    yield _one("python_threads", "gauge", "Threads.", threading.active_count())
    yield _one("python_asyncio_tasks", "gauge", "Tasks of the event loop.", len(asyncio.all_tasks()))
