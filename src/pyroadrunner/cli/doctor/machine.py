"""Check memory, processors and process limits."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from pyroadrunner.cli.doctor.finding import Finding, ok, warn
from pyroadrunner.net.descriptors import most
from pyroadrunner.version import __version__

_PART = "machine"
_MB = 1 << 20
_LEAST_FREE = 256 * _MB
_PER_WORKER = 32 * _MB  # the least that a PHP worker with a framework uses
_LEAST_FILES = 4096  # descriptors: three per worker, one per connection
_CGROUP = Path("/sys/fs/cgroup")


def inspect(workers: int) -> Iterator[Finding]:
    """Check the machine.

    Args:
        workers: number of workers in the config; 0 = unknown.
    """
    yield ok(
        _PART,
        "system",
        f"pyroadrunner {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}",
    )
    yield memory(free_memory(), workers)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield ok(_PART, "processors", f"{cpus}{f', for {workers} workers' if workers else ''}")
    yield files(most(resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def free_memory() -> int:
    """Free bytes of the machine, or of our control group if that has less."""
    free = int(psutil.virtual_memory().available)
    group = free_in_group(_CGROUP)
    return free if group is None else min(free, group)


def free_in_group(root: Path) -> int | None:
    """Free bytes of a control group of version 1 or 2; ``None`` without a group or a limit.

    Inactive page cache counts as free, as in Kubernetes: the kernel reclaims it first.

    Args:
        root: mount point of the groups. Inside a container this is the container's own group.
    """
    v1 = root / "memory"
    for limit, used, stat, cached in (
        (root / "memory.max", root / "memory.current", root / "memory.stat", "inactive_file"),
        (v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes", v1 / "memory.stat", "total_inactive_file"),
    ):
        try:
            allowed, taken = limit.read_text().strip(), int(used.read_text())
            figures = dict(line.split(" ", 1) for line in stat.read_text().splitlines())
            reclaimable = int(figures.get(cached, "0"))
        except (OSError, ValueError):  # the root group, or the other version
            continue
        return max(0, int(allowed) - taken + reclaimable) if allowed.isdecimal() else None
    return None


def memory(free: int, workers: int) -> Finding:
    """Check for enough memory. Pure."""
    found = f"{free // _MB} MB free"
    needed = max(_LEAST_FREE, workers * _PER_WORKER)
    if free < needed:
        todo = (
            f"{workers or 'some'} workers need {needed // _MB} MB or more: configure fewer (num_workers), or add memory"
        )
        return warn(_PART, "memory", found, todo)
    return ok(_PART, "memory", found)


def files(limit: int) -> Finding:
    """Check the limit of open files. Pure.

    Args:
        limit: the limit the server will set, based on the hard limit.
    """
    if limit >= _LEAST_FILES:
        return ok(_PART, "open files", str(limit))
    todo = "each connection uses one: ulimit -Hn 65536, or LimitNOFILE=65536 in the systemd unit"
    return warn(_PART, "open files", str(limit), todo)
