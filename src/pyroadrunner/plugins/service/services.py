"""All services by name. One that can't be started (again) is forgotten, so its name is free."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

from pyroadrunner.plugins.service.config import ServiceConfig
from pyroadrunner.plugins.service.errors import ServiceExists, UnknownService
from pyroadrunner.plugins.service.service import Service


class Services:
    """The services of one server."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}

    def __repr__(self) -> str:
        return f"Services({list(self._services.values())})"

    def __iter__(self) -> Iterator[Service]:
        return iter(list(self._services.values()))

    def find(self, name: str) -> Service:
        """The service of that name.

        Raises:
            UnknownService.
        """
        service = self._services.get(name)
        if service is None:
            raise UnknownService(name)
        return service

    async def create(self, name: str, config: ServiceConfig) -> None:
        """Start a service.

        Raises:
            ServiceExists.
            StartFailed, UnknownUser: it is forgotten.
        """
        if name in self._services:
            raise ServiceExists(name)
        service = self._services[name] = Service(name, config)
        try:
            await service.start()
        except BaseException:
            self._forget(service)
            raise

    async def restart(self, name: str) -> None:
        """Stop and start its processes in turn.

        Raises:
            UnknownService.
            StartFailed, UnknownUser: it is stopped and forgotten.
        """
        service = self.find(name)
        try:
            await service.restart()
        except BaseException:
            self._forget(service)
            raise

    async def terminate(self, name: str) -> None:
        """Stop all its processes and forget it.

        Raises:
            UnknownService.
        """
        service = self.find(name)
        try:
            await service.close()
        finally:
            self._forget(service)

    async def close(self, grace: float = math.inf) -> None:
        """Stop all side by side, within ``grace`` seconds, and forget them."""
        await asyncio.gather(*(service.close(grace) for service in self))
        self._services.clear()

    def _forget(self, service: Service) -> None:
        if self._services.get(service.name) is service:
            del self._services[service.name]
