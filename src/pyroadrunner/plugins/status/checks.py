"""Asks plugins how they are. An answer takes no longer than it may, and no failure gets out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum

import msgspec

from pyroadrunner.contracts import HasStatus
from pyroadrunner.log import Log

log = Log("status")

FAILED = "internal server error, see logs"


class Check(Enum):
    """What is asked."""

    HEALTH = "status"
    READY = "ready"


class Entry(msgspec.Struct):
    """How one plugin is, as probes read it."""

    plugin_name: str
    error_message: str
    status_code: int


class Checks:
    """The plugins that can be asked.

    Args:
        plugins: as they are at the time.
        unavailable: status of one that says no.
        timeout: seconds for its answer.
    """

    def __init__(self, plugins: Sequence[HasStatus], unavailable: int, timeout: float) -> None:
        self._plugins = plugins
        self._unavailable = unavailable
        self._timeout = timeout

    async def entries(self, check: Check, names: Collection[str] = ()) -> list[Entry]:
        """Of these plugins, or of all. One that is not there is left out, and the log says so."""
        found = {plugin.name: plugin for plugin in self._plugins}
        for name in names:
            if name not in found:
                log.info("plugin does not exist or has no status", plugin=name)
        asked = [plugin for name, plugin in found.items() if not names or name in names]
        return list(await asyncio.gather(*(self._entry(check, plugin) for plugin in asked)))

    async def code(self, check: Check, name: str) -> int | None:
        """Of one plugin: 200, or the code of an unavailable one; ``None``: it is not there."""
        for plugin in self._plugins:
            if plugin.name == name:
                return (await self._entry(check, plugin)).status_code
        return None

    async def _entry(self, check: Check, plugin: HasStatus) -> Entry:
        ask: Callable[[], Awaitable[bool]] = plugin.healthy if check is Check.HEALTH else plugin.ready
        try:
            good = await asyncio.wait_for(ask(), self._timeout)
        except TimeoutError:
            log.error("a plugin does not say how it is", plugin=plugin.name, check_timeout=self._timeout)
            good = False
        except Exception as error:  # a plugin's bug: it is not well, and the others are still told
            log.error("check failed", plugin=plugin.name, error=f"{type(error).__name__}: {error}")
            good = False
        return Entry(plugin.name, "" if good else FAILED, 200 if good else self._unavailable)
