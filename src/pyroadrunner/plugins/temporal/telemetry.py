"""Log and metrics of the engine."""

from __future__ import annotations

from pyroadrunner.contracts import Log
from pyroadrunner.plugins.temporal.config import MetricsConfig
from pyroadrunner.plugins.temporal.core import LogEntry, Runtime

log = Log("temporal")

# What ``workflows.py`` and ``activities.py`` say better.
_SAID_ELSEWHERE = ("Failing workflow task", "Activity not found on completion", "Tried to complete untracked local")


def make_runtime(config: MetricsConfig | None) -> Runtime:
    """The engine's runtime, with the metrics that the section wants."""
    return Runtime(_write)


def _write(entry: LogEntry) -> None:
    """Write a line of the engine's log."""
    fields = {str(name): str(value) for name, value in entry.fields.items()}
    if entry.level == "error":
        log.error(entry.message, **fields)
    elif entry.level == "warning" and not entry.message.startswith(_SAID_ELSEWHERE):
        log.warning(entry.message, **fields)
    else:
        log.debug(entry.message, **fields)
