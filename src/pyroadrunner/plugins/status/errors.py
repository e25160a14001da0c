"""Errors of ``status`` over RPC."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class NoSuchPlugin(RoadRunnerError):
    """The plugin is not running, or has no status."""

    def __init__(self, method: str, plugin: str) -> None:
        super().__init__(f"checker_rpc_{method}:\n\tchecker_plugin_{method}: no such plugin: {plugin}")
        self.plugin = plugin
