"""Ask plugins for their health. Each check has a time limit; exceptions are logged, not raised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum

import msgspec

from pyroadrunner.contracts import HasStatus, HasStatusMessage
from pyroadrunner.log import Log

log = Log("status")

FAILED = "internal server error, see logs"


class Check(Enum):
    """The kind of check."""

    HEALTH = "status"
    READY = "ready"


class Entry(msgspec.Struct):
    """The status of one plugin, for probes."""

    plugin_name: str
    error_message: str
    status_code: int


class Checks:
    """Checks the plugins.

    Args:
        plugins: a live view of the plugins with a status.
        unavailable: HTTP status for an unavailable plugin.
        timeout: seconds for the check of a plugin.
        messages: a live view of the plugins that say what is wrong. A message alone does not change the status.
    """

    def __init__(
        self,
        plugins: Sequence[HasStatus],
        unavailable: int,
        timeout: float,
        messages: Sequence[HasStatusMessage] = (),
    ) -> None:
        self._plugins = plugins
        self._messages = messages
        self._unavailable = unavailable
        self._timeout = timeout

    async def entries(self, check: Check, names: Collection[str] = ()) -> list[Entry]:
        """The status of the named plugins, or of all. Unknown ones are left out and logged."""
        found = {plugin.name: plugin for plugin in self._plugins}
        for name in names:
            if name not in found:
                log.info("plugin does not exist or has no status", plugin=name)
        asked = [plugin for name, plugin in found.items() if not names or name in names]
        return list(await asyncio.gather(*(self._entry(check, plugin) for plugin in asked)))

    async def code(self, check: Check, name: str) -> int | None:
        """The status code of one plugin: 200 or ``unavailable``; ``None`` if it is unknown."""
        for plugin in self._plugins:
            if plugin.name == name:
                return (await self._entry(check, plugin)).status_code
        return None

    async def _entry(self, check: Check, plugin: HasStatus) -> Entry:
        ask: Callable[[], Awaitable[bool]] = plugin.healthy if check is Check.HEALTH else plugin.ready
        try:
            good = await asyncio.wait_for(ask(), self._timeout)
        except TimeoutError:
            log.error(
                "a plugin did not answer its health check in time", plugin=plugin.name, check_timeout=self._timeout
            )
            good = False
        except Exception as error:  # a bug in the plugin: report it as unavailable, and the others as usual
            log.error("check failed", plugin=plugin.name, error=f"{type(error).__name__}: {error}")
            good = False
        message = next((one.status_message() for one in self._messages if one.name == plugin.name), "")
        return Entry(plugin.name, message or ("" if good else FAILED), 200 if good else self._unavailable)
