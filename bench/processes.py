"""CPU and memory of the process trees of a server; PHP is counted separately."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Process:
    """Data of ``/proc/PID/stat``: process, parent, used CPU, current memory."""

    pid: int
    parent: int
    command: str
    cpu_seconds: float
    rss_bytes: int

    @property
    def is_php(self) -> bool:
        return self.command.startswith("php")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Usage of a process tree. ``server`` is everything except PHP."""

    server_cpu_seconds: float
    php_cpu_seconds: float
    server_rss_mb: float
    php_rss_mb: float
    processes: int


def parse_stat(text: str) -> Process:
    """Parse ``/proc/PID/stat`` (proc(5)). The command is in parentheses and may contain parentheses."""
    head, _, rest = text.rpartition(")")
    pid, _, command = head.partition(" (")
    fields = rest.split()
    return Process(
        pid=int(pid),
        parent=int(fields[1]),
        command=command,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS,
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def under(roots: Sequence[int], everyone: Sequence[Process]) -> list[Process]:
    """The roots and all their descendants."""
    children: dict[int, list[Process]] = {}
    for process in everyone:
        children.setdefault(process.parent, []).append(process)
    found = [process for process in everyone if process.pid in roots]
    for process in found:  # grows during the iteration
        found.extend(child for child in children.get(process.pid, ()) if child not in found)
    return found


def running() -> list[Process]:
    """All processes of the machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append(parse_stat((folder / "stat").read_text()))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has exited meanwhile
    return found


def usage(roots: Sequence[int]) -> Usage:
    """Usage of the trees under these roots so far."""
    tree = under(roots, running())
    return Usage(
        server_cpu_seconds=sum(one.cpu_seconds for one in tree if not one.is_php),
        php_cpu_seconds=sum(one.cpu_seconds for one in tree if one.is_php),
        server_rss_mb=sum(one.rss_bytes for one in tree if not one.is_php) / MB,
        php_rss_mb=sum(one.rss_bytes for one in tree if one.is_php) / MB,
        processes=len(tree),
    )


def cpu_of(pid: int) -> float:
    """CPU seconds that one process has used so far."""
    return parse_stat(Path(f"/proc/{pid}/stat").read_text()).cpu_seconds


def php_workers(roots: Sequence[int]) -> list[int]:
    """Pids of the PHP processes under these roots."""
    return [one.pid for one in under(roots, running()) if one.is_php]


def descriptors(pid: int) -> int:
    """Number of open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class PeakMemory:
    """Peak memory of a server (without PHP) during the block, in ``rss_mb``; sampled four times a second."""

    def __init__(self, roots: Sequence[int], every_seconds: float = 0.25) -> None:
        self.rss_mb = 0.0
        self._roots = roots
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self.look()

    def look(self) -> None:
        """Take a sample."""
        self.rss_mb = max(self.rss_mb, usage(self._roots).server_rss_mb)

    def __enter__(self) -> PeakMemory:
        self.look()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self.look()
