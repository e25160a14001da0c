"""A service: one command with its configured number of processes."""

from __future__ import annotations

import asyncio
import math

from pyroadrunner.log import Log
from pyroadrunner.plugins.service.config import ServiceConfig
from pyroadrunner.plugins.service.errors import ServiceClosed
from pyroadrunner.plugins.service.process import ServiceProcess


class Service:
    """A service, not yet started.

    Attributes:
        name: name chosen by the user.
        processes: the processes, in start order.
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
        """Start all processes; if one fails to start, or on cancellation, stop them all.

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
        """Restart the processes one after the other. If one fails to start, all are stopped permanently.

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
        """Stop all processes concurrently and permanently. Aborts a running start or restart.

        Args:
            grace: maximum number of seconds.
        """
        self._closed = True
        await asyncio.gather(*(process.stop(grace) for process in self.processes))

    async def _start(self, process: ServiceProcess) -> None:
        if self._closed:
            raise ServiceClosed(self.name)
        await process.start()
