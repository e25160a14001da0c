"""A service: one command, as many processes of it as its config says."""

from __future__ import annotations

import asyncio
import math

from pyroadrunner.log import Log
from pyroadrunner.plugins.service.config import ServiceConfig
from pyroadrunner.plugins.service.errors import ServiceClosed
from pyroadrunner.plugins.service.process import ServiceProcess


class Service:
    """Not yet started.

    Attributes:
        name: as the user chose it.
        processes: in the order of their start.
    """

    def __init__(self, name: str, config: ServiceConfig) -> None:
        log = Log(f"service.{name}" if config.service_name_in_log else "service")
        self.name = name
        self.processes = [ServiceProcess(name, config, log) for _ in range(config.process_num or 1)]
        self._closed = False
        self._one_at_a_time = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Service({self.name}, {self.processes})"

    async def start(self) -> None:
        """Start all processes; when one can't be started, or this is cancelled, none is left.

        Raises:
            StartFailed, UnknownUser, ServiceClosed.
        """
        async with self._one_at_a_time:
            try:
                for process in self.processes:
                    await self._start(process)
            except BaseException:
                await self.close()
                raise

    async def restart(self) -> None:
        """Stop and start the processes, one after the other. When one can't be started, all are stopped for good.

        Raises:
            StartFailed, UnknownUser, ServiceClosed.
        """
        async with self._one_at_a_time:
            try:
                for process in self.processes:
                    await process.stop()
                    await self._start(process)
            except BaseException:
                await self.close()
                raise

    async def close(self, grace: float = math.inf) -> None:
        """Stop all processes side by side, for good. Does not wait for a start or restart going on: it ends that.

        Args:
            grace: seconds they have at most.
        """
        self._closed = True
        await asyncio.gather(*(process.stop(grace) for process in self.processes))

    async def _start(self, process: ServiceProcess) -> None:
        if self._closed:
            raise ServiceClosed(self.name)
        await process.start()
