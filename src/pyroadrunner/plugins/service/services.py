"""All services by name. A service that fails to start or restart is removed, so that its name is free."""

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
        """Find a service by name.

        Raises:
            UnknownService.
        """
        service = self._services.get(name)
        if service is None:
            raise UnknownService(name)
        return service

    async def create(self, name: str, config: ServiceConfig) -> None:
        """Create and start a service.

        Raises:
            ServiceExists.
            StartFailed, UnknownUser: the service was removed.
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
        """Restart its processes one after the other.

        Raises:
            UnknownService.
            StartFailed, UnknownUser: the service was stopped and removed.
        """
        service = self.find(name)
        try:
            await service.restart()
        except BaseException:
            self._forget(service)
            raise

    async def terminate(self, name: str) -> None:
        """Stop all its processes and remove it.

        Raises:
            UnknownService.
        """
        service = self.find(name)
        try:
            await service.close()
        finally:
            self._forget(service)

    async def close(self, grace: float = math.inf) -> None:
        """Stop all services concurrently, within ``grace`` seconds, and remove them."""
        await asyncio.gather(*(service.close(grace) for service in self))
        self._services.clear()

    def _forget(self, service: Service) -> None:
        if self._services.get(service.name) is service:
            del self._services[service.name]
