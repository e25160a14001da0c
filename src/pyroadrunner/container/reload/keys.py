"""Which keys of a section ``rr reload`` applies, without a running server."""

from __future__ import annotations

from collections.abc import Collection
from inspect import getattr_static

from pyroadrunner.container.discover import installed
from pyroadrunner.container.reload.endure import Endure
from pyroadrunner.errors import RoadRunnerError


def reloadable_keys(section: str) -> Collection[str] | None:
    """The keys of a section that a reload applies; ``None`` if that is not known before the plugin runs.

    A section without a plugin of its own (``amqp``, ``sql``) has none: another plugin reads it once.
    """
    if section == Endure.name:
        return Endure.reloadable_keys()
    plugin = next((plugin for plugin in installed() if plugin.name == section), None)
    if plugin is None:
        return ()
    try:
        loaded = plugin.load()
    except RoadRunnerError:  # one of its packages is not installed
        return None
    declared = getattr_static(loaded, "reloadable_keys", None)
    if declared is None:
        return ()
    if not isinstance(declared, staticmethod):
        return None
    keys: Collection[str] = declared.__func__()
    return keys
