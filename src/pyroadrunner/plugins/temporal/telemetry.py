"""Log and metrics of the engine."""

from __future__ import annotations

from pyroadrunner.plugins.temporal.config import MetricsConfig
from pyroadrunner.plugins.temporal.core import Runtime
from pyroadrunner.plugins.temporal.host import write_entry


def make_runtime(config: MetricsConfig | None) -> Runtime:
    """The engine's runtime, with the metrics that the section wants."""
    return Runtime(write_entry)
