"""Errors of resets."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class UnknownPlugin(RoadRunnerError):
    """The plugin is not running, or has no workers."""

    def __init__(self, plugin: str) -> None:
        super().__init__(f"resetter_rpc_reset:\n\tresetter_plugin_reset_by_name: no such plugin: {plugin}")
        self.plugin = plugin


class ResetFailed(RoadRunnerError):
    """The new workers of some pools failed to start; the old ones keep running. ``causes`` maps pool names to
    errors."""

    def __init__(self, causes: dict[str, BaseException]) -> None:
        lines = "".join(f"\n\t{pool}: {error}" for pool, error in causes.items())
        super().__init__(f"resetter_rpc_reset:{lines}")
        self.causes = causes
