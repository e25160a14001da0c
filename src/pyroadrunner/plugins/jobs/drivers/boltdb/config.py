"""Settings of the driver ``boltdb``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch


class BoltdbConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline in a file on this machine, kept in SQLite."""

    file: str = "rr.db"
    """The file; a relative path starts at the server's working folder. Several pipelines, and several servers, may
    share it."""
    permissions: Annotated[int, Meta(ge=0, le=0o7777)] = 0o755
    """Mode of a new file, such as 0600."""
    prefetch: Prefetch = 1000
    """Jobs that may wait for a worker or run; the others stay in the file."""
    synchronous: Literal["full", "normal"] = "full"
    """`full`: accepted jobs survive a power loss. `normal`: they survive a crash of the server, but not a power loss.
    Not in RoadRunner."""


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """PHP sends the mode as a decimal number, 493 for 0755. With a leading zero it is octal, as in a config."""
    mode = values.get("permissions", "")
    if len(mode) > 1 and mode.startswith("0") and set(mode) <= set("01234567"):
        return {**values, "permissions": str(int(mode, 8))}
    return values


DRIVER = DriverInfo(
    config=BoltdbConfig,
    make="pyroadrunner.plugins.jobs.drivers.boltdb.driver:BoltdbDriver",
    declared=_declared,
)
