"""Settings of the driver ``file``."""

from __future__ import annotations

from collections.abc import Iterable

from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo, RegistryConfig


class FileConfig(RegistryConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`driver: file`: the servers in a YAML or JSON file. This server is not announced."""

    path: str
    """The file; a change is noticed within `refresh`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.path:
            yield "path", "should not be empty"


DRIVER = DriverInfo(
    config=FileConfig,
    make="pyroadrunner.plugins.discovery.drivers.file.driver:FileRegistry",
    announces=False,
)
