"""Memory, processors, limits of the process."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from pyroadrunner.cli.doctor.finding import Finding, ok, warn
from pyroadrunner.goridge.descriptors import most
from pyroadrunner.version import __version__

_PART = "machine"
_MB = 1 << 20
_LEAST_FREE = 256 * _MB
_PER_WORKER = 32 * _MB  # what a PHP worker with a framework takes at least
_LEAST_FILES = 4096  # descriptors: three for a worker, one for a connection
_CGROUP = Path("/sys/fs/cgroup")


def look(workers: int) -> Iterator[Finding]:
    """What there is.

    Args:
        workers: how many the config asks for; 0 = unknown.
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
    """Bytes that processes may still take: of the machine, or of our control group when that has less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # the root group, or another version of them
        return free
    return min(free, max(0, int(limit) - used)) if limit.isdecimal() else free


def memory(free: int, workers: int) -> Finding:
    """Whether there is enough memory. Pure."""
    found = f"{free // _MB} MB free"
    needed = max(_LEAST_FREE, workers * _PER_WORKER)
    if free < needed:
        todo = (
            f"{workers or 'some'} workers take {needed // _MB} MB or more: fewer of them (num_workers), or more memory"
        )
        return warn(_PART, "memory", found, todo)
    return ok(_PART, "memory", found)


def files(limit: int) -> Finding:
    """Whether enough files may be open. Pure.

    Args:
        limit: what the server will make of the hard limit.
    """
    if limit >= _LEAST_FILES:
        return ok(_PART, "open files", str(limit))
    todo = "each connection takes one: ulimit -Hn 65536, or LimitNOFILE=65536 in the systemd unit"
    return warn(_PART, "open files", str(limit), todo)
