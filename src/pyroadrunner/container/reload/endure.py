"""The ``endure`` section of the running server: its grace period can be reloaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyroadrunner.container.config import EndureConfig
from pyroadrunner.contracts import PreparedReload, Reloadable


class Endure(Reloadable):
    """Holds the section; implements ``contracts.Reloadable``.

    Attributes:
        config: the current section.
    """

    name = "endure"

    def __init__(self, config: EndureConfig) -> None:
        self.config = config

    def __repr__(self) -> str:
        return f"Endure({self.config})"

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        return ("grace_period", "retirement", "log_level", "print_graph")

    async def prepare_reload(self, section: EndureConfig, whole: Mapping[str, Any]) -> PreparedReload:
        def apply() -> None:
            self.config = section

        return PreparedReload(apply)
