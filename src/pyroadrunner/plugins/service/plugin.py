"""The ``service`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import HasPages, HasProcesses, HasRpc, Page, PageInfo, Plugin, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.service.config import ServiceSection
from pyroadrunner.plugins.service.errors import ResetFailed
from pyroadrunner.plugins.service.pages import INFO, services_page, steer
from pyroadrunner.plugins.service.rpc import methods
from pyroadrunner.plugins.service.services import Services
from pyroadrunner.workers.info import WorkerInfo


class ServicePlugin(Plugin, HasProcesses, HasRpc, HasPages):
    """Keeps the commands of its section running; ``informer`` lists their processes, ``resetter`` restarts them."""

    name = "service"
    weight = 10  # before plugins with workers, which may need a sidecar

    def __init__(self, config: ServiceSection) -> None:
        self._config = config
        self._services = Services()

    def __repr__(self) -> str:
        return f"ServicePlugin({self._services!r})"

    async def start(self) -> None:
        """Start all services.

        Raises:
            StartFailed: a command can't be run.
            UnknownUser: a ``user`` does not exist.
        """
        try:
            for name, config in self._config.services.items():
                await self._services.create(name, config)
        except BaseException:
            await self._services.close()
            raise

    async def stop(self, grace: float) -> None:
        """Stop all processes concurrently; those that still run after ``grace`` seconds are killed."""
        await self._services.close(grace)

    async def workers(self) -> list[WorkerInfo]:
        """The running processes."""
        return [process.info() for service in self._services for process in service.processes if process.running]

    async def reset(self) -> None:
        """Restart all services.

        Raises:
            ResetFailed: some failed to restart; the others run.
        """
        names = [service.name for service in self._services]
        results = await asyncio.gather(*(self._services.restart(name) for name in names), return_exceptions=True)
        failed = {name: error for name, error in zip(names, results, strict=True) if isinstance(error, BaseException)}
        for error in failed.values():
            if not isinstance(error, RoadRunnerError):
                raise error  # a bug: the caller logs it
        if failed:
            raise ResetFailed(failed)

    def pages(self) -> Sequence[PageInfo]:
        return (INFO,)

    async def page(self, name: str) -> Page:
        return services_page(self._services)

    async def run_action(self, page: str, action: str, row: str) -> str:
        return await steer(self._services, action, row)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return methods(self._services)
