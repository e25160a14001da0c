"""Errors of ``informer``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class NoWorkers(RoadRunnerError):
    """The plugin is not running, or has no pool."""

    def __init__(self, plugin: str) -> None:
        super().__init__(f"plugin {plugin} does not support workers management")
        self.plugin = plugin


class NotAWorker(RoadRunnerError):
    """No pool has a worker with this process id."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"no pool has a worker with the pid {pid}; it may have been replaced: rr workers shows them")
        self.pid = pid
