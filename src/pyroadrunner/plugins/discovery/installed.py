"""The drivers of all installed packages. Loading one imports its settings, not its client library."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pyroadrunner.driver_packages import load_drivers
from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo

GROUP = "pyroadrunner.discovery_drivers"


@cache
def installed_drivers() -> dict[str, DriverInfo]:
    """Every driver, by name.

    Raises:
        ImportError: a package names a driver that can't be loaded.
    """
    return from_entries(entry_points(group=GROUP))


def from_entries(entries: Iterable[EntryPoint]) -> dict[str, DriverInfo]:
    """The drivers of entry points; see :func:`installed_drivers`."""
    return load_drivers(entries, DriverInfo, "discovery driver")
