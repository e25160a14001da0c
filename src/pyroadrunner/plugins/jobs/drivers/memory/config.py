"""Settings of the driver ``memory``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch


class MemoryConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline in the memory of the server."""

    prefetch: Prefetch = 100_000
    """Jobs that may wait for a worker or run; the others stay in the pipeline's own queue."""
    max_items: Annotated[int, Meta(ge=0)] = 1_000_000
    """Jobs that the pipeline may hold, delayed ones included; one more is refused. 0 = no limit. Not in RoadRunner,
    which has 100,000, and 1,000 delayed ones."""


DRIVER = DriverInfo(config=MemoryConfig, make="pyroadrunner.plugins.jobs.drivers.memory.driver:MemoryDriver")
