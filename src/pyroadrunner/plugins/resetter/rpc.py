"""The methods of the service ``resetter``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import HasPools, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.plugins.resetter.errors import ResetFailed, UnknownPlugin

log = Log("resetter")


def methods(plugins: Sequence[HasPools]) -> Mapping[str, RpcMethod]:
    """``List`` and ``Reset`` over the plugins running at the time."""

    def names(_: bool) -> list[str]:
        return [plugin.name for plugin in plugins]

    async def reset(name: str) -> bool:
        """Replace the workers of all pools of a plugin, the pools side by side; each pool sees to it that no request
        fails."""
        found = next((plugin for plugin in plugins if plugin.name == name), None)
        if found is None:
            raise UnknownPlugin(name)
        pools = found.pools()
        log.info("reset signal was received", plugin=name)
        results = await asyncio.gather(*(pool.reset() for pool in pools.values()), return_exceptions=True)
        failed = {pool: error for pool, error in zip(pools, results, strict=True) if isinstance(error, BaseException)}
        for error in failed.values():
            if not isinstance(error, RoadRunnerError):
                raise error  # a bug: whoever runs the call logs it
        if failed:
            log.error("reset failed", plugin=name, error=str(ResetFailed(failed)))
            raise ResetFailed(failed)
        log.info("plugin was successfully reset", plugin=name)
        return True

    return {"List": RpcMethod(names), "Reset": RpcMethod(reset, str)}
