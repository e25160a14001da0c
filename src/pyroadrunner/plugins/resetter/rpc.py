"""The methods of the service ``resetter``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pyroadrunner.contracts import HasPools, HasProcesses, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.plugins.resetter.errors import ResetFailed, UnknownPlugin


def methods(plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses] = ()) -> Mapping[str, RpcMethod]:
    """``List`` and ``Reset`` for the plugins that are running at the time of the call."""

    def names(_: bool) -> list[str]:
        return [plugin.name for plugin in plugins] + [sidecar.name for sidecar in sidecars]

    async def reset(name: str) -> bool:
        """Replace the workers of all pools of a plugin, concurrently, or of one pool (``http.slow``). Each pool makes
        sure that no request fails."""
        resets = _resets(plugins, sidecars, name)
        if not resets and name not in names(True):
            raise UnknownPlugin(name)
        # In RoadRunner each plugin logs its resets: `logs.channels.http` applies to resets of `http`.
        owner = _owner(plugins, name)
        log = Log(owner)
        pool = {} if owner == name else {"pool": name}
        log.info("reset signal was received", **pool)
        results = await asyncio.gather(*(restart() for restart in resets.values()), return_exceptions=True)
        failed = {what: error for what, error in zip(resets, results, strict=True) if isinstance(error, BaseException)}
        for error in failed.values():
            if not isinstance(error, RoadRunnerError):
                raise error  # a bug: the caller logs it
        if failed:
            log.error("reset failed", error=str(ResetFailed(failed)), **pool)
            raise ResetFailed(failed)
        log.info("plugin was successfully reset", **pool)
        return True

    return {"List": RpcMethod(names), "Reset": RpcMethod(reset, str)}


def _owner(plugins: Sequence[HasPools], name: str) -> str:
    """The plugin that has the pool ``name``; ``name`` itself if it is a plugin."""
    if any(plugin.name == name for plugin in plugins):
        return name
    return next((plugin.name for plugin in plugins for pool in plugin.pools() if pool == name), name)


def _resets(
    plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses], name: str
) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """The resets of a plugin: by pool name, and by the plugin's name for its other processes."""
    pools = {
        pool: found.reset for plugin in plugins for pool, found in plugin.pools().items() if name in (plugin.name, pool)
    }
    return pools | {sidecar.name: sidecar.reset for sidecar in sidecars if sidecar.name == name}
