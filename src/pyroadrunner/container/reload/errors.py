"""Errors of a reload."""

from __future__ import annotations

from pyroadrunner.container.errors import PluginError


class ReloadRefused(PluginError):
    """A plugin can't apply a change; all plugins keep their old config."""

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(plugin, f"{reason}\nnothing was reloaded: the server keeps the old config")
