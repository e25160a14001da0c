"""The ``service`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pyroadrunner.contracts import HasProcesses, HasRpc, Plugin, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.service.config import ServiceSection
from pyroadrunner.plugins.service.errors import ResetFailed
from pyroadrunner.plugins.service.rpc import methods
from pyroadrunner.plugins.service.services import Services
from pyroadrunner.workers.info import WorkerInfo


class ServicePlugin(Plugin, HasProcesses, HasRpc):
    """Keeps the commands of its section running; ``informer`` lists their processes, ``resetter`` restarts them."""

    name = "service"
    weight = 10  # before the doors: their workers may need what a sidecar gives

    def __init__(self, config: ServiceSection) -> None:
        self._config = config
        self._services = Services()

    def __repr__(self) -> str:
        return f"ServicePlugin({self._services!r})"

    async def start(self) -> None:
        """Start every service.

        Raises:
            StartFailed: a command can't be run.
            UnknownUser: a ``user`` names nobody.
        """
        try:
            for name, config in self._config.services.items():
                await self._services.create(name, config)
        except BaseException:
            await self._services.close()
            raise

    async def stop(self, grace: float) -> None:
        """Stop all processes side by side; what is left after ``grace`` seconds is killed."""
        await self._services.close(grace)

    async def workers(self) -> list[WorkerInfo]:
        """The processes that run now."""
        return [process.info() for service in self._services for process in service.processes if process.running]

    async def reset(self) -> None:
        """Restart every service.

        Raises:
            ResetFailed: some did not come up again; the others did.
        """
        names = [service.name for service in self._services]
        results = await asyncio.gather(*(self._services.restart(name) for name in names), return_exceptions=True)
        failed = {name: error for name, error in zip(names, results, strict=True) if isinstance(error, BaseException)}
        for error in failed.values():
            if not isinstance(error, RoadRunnerError):
                raise error  # a bug: whoever runs the call logs it
        if failed:
            raise ResetFailed(failed)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return methods(self._services)
