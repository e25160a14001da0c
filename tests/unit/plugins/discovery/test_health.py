"""The health that is announced."""

from __future__ import annotations

import asyncio
from typing import Any

from pyroadrunner.plugins.discovery.health import health_of
from support.virtual_time import in_virtual_time


class Told:
    """A plugin whose check returns or raises as told; ``...`` never returns."""

    def __init__(self, name: str, healthy: Any) -> None:
        self.name = name
        self._healthy = healthy

    async def healthy(self) -> bool:
        if self._healthy is ...:
            await asyncio.Event().wait()
        if isinstance(self._healthy, Exception):
            raise self._healthy
        return bool(self._healthy)

    async def ready(self) -> bool:
        return False


@in_virtual_time
async def test_a_server_is_as_healthy_as_its_plugins() -> None:
    assert await health_of([]) == ("passing", "")
    assert await health_of([Told("http", True)]) == ("passing", "")
    plugins = [Told("http", True), Told("jobs", ValueError()), Told("grpc", ...), Told("tcp", False)]
    assert await health_of(plugins) == ("critical", "not healthy: grpc, jobs, tcp")
