"""A registry in memory that fails on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from pyroadrunner.plugins.discovery.drivers.contract import Registrar, RegistryError, Server


class FakeRegistry(Registrar):
    """What servers announce is in ``entries``, by instance.

    Attributes:
        error: raised by every method if set.
        calls: names of the called methods.
        hanging: methods never return.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Server] = {}
        self.stored: dict[str, bytes] = {}
        self.error: RegistryError | Exception | None = None
        self.calls: list[str] = []
        self.hanging = False
        self.own = ""
        self.on_put: Callable[[str, bytes], None] = lambda key, value: None

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.hanging:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def register(self, server: Server) -> None:
        await self._called("register")
        self.own = server.instance
        self.entries[server.instance] = server

    async def keep(self, server: Server) -> bool:
        await self._called("keep")
        if server.instance not in self.entries:
            return False
        self.entries[server.instance] = server
        return True

    async def withdraw(self) -> None:
        await self._called("withdraw")
        self.entries.pop(self.own, None)

    async def servers(self) -> Sequence[Server]:
        await self._called("servers")
        return list(self.entries.values())

    async def put(self, key: str, value: bytes) -> None:
        await self._called("put")
        self.stored[key] = value
        self.on_put(key, value)

    async def values(self, prefix: str) -> Mapping[str, bytes]:
        await self._called("values")
        return {key: value for key, value in self.stored.items() if key.startswith(prefix)}

    async def delete(self, prefix: str) -> None:
        await self._called("delete")
        for key in [key for key in self.stored if key.startswith(prefix)]:
            del self.stored[key]

    async def close(self) -> None:
        self.calls.append("close")
