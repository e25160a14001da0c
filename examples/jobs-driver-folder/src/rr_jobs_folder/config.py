"""The settings of a pipeline, read with every config: no import of a client library here."""

from __future__ import annotations

from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch


class FolderConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline in a folder."""

    path: str
    """The folder; it must exist."""
    queue: str = "default"
    """A folder in it."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker or run."""


DRIVER = DriverInfo(config=FolderConfig, make="rr_jobs_folder.driver:FolderDriver")
