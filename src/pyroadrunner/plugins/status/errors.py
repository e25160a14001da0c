"""What ``status`` refuses over RPC."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class NoSuchPlugin(RoadRunnerError):
    """It is not running, or can't be asked how it is."""

    def __init__(self, method: str, plugin: str) -> None:
        super().__init__(f"checker_rpc_{method}:\n\tchecker_plugin_{method}: no such plugin: {plugin}")
        self.plugin = plugin
