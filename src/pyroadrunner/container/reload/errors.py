"""Why nothing of a reload happened."""

from __future__ import annotations

from pyroadrunner.container.errors import PluginError


class ReloadRefused(PluginError):
    """A plugin can't take over what has changed; all go on with the config they had."""

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(plugin, f"{reason}\nnothing was reloaded: the server goes on with the config it had")
