"""The entry of this server: created, kept alive, created again when the registry has forgotten it.

Two servers with the same id would be one in every list, so the later one is not registered. Before it registers, it
reads the registry. If both register in the same moment, both see it later, and the one that started later withdraws.
After ``kill -9`` a server finds its own last entry: it waits until that has ended, ``ttl`` at most.

A process that takes over the addresses of another one (SIGUSR2) registers beside it; the old one withdraws when it
stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from pyroadrunner.plugins.discovery.drivers.contract import Registrar, RegistryError
from pyroadrunner.plugins.discovery.server import Server, precedes, rival
from pyroadrunner.plugins.discovery.standing import log
from pyroadrunner.plugins.discovery.tasks import IdTaken

_LOOK = 0.1  # seconds between two looks for the successor


class Registration:
    """Keeps the entry.

    Attributes:
        registered: whether the registry has confirmed the entry.

    Args:
        describe: makes the current entry.
        successor: whether this process takes over from another one with the same id.
    """

    def __init__(
        self, registrar: Registrar, describe: Callable[[], Awaitable[Server]], *, successor: bool = False
    ) -> None:
        self.registered = False
        self._registrar = registrar
        self._describe = describe
        self._successor = successor
        self._rival: Server | None = None
        self._own: Server | None = None

    async def step(self) -> None:
        """Renew the entry, or create it.

        Raises:
            IdTaken: another live server has this id.
            RegistryError
        """
        server = await self._describe()
        if self._rival is not None:
            await self._yield_to(self._rival)
        if self.registered and await self._keep(server):
            self._own = server
            return
        if not self._successor:
            other = rival(server, await self._registrar.servers())
            if other is not None:
                raise _taken(other)
        self._own = server
        await self._registrar.register(server)
        self.registered = True

    def seen(self, servers: Sequence[Server]) -> None:
        """The registry was read: does an older server with the same id claim it?"""
        other = rival(self._own, servers) if self._own is not None and self.registered else None
        if other is not None and not self._successor and self._own is not None and precedes(other, self._own):
            self._rival = other

    async def wait_for_successor(self, timeout: float) -> None:
        """Wait until the process that has taken over is registered, so that the id is never absent. Never raises."""
        if not self.registered or self._own is None:
            return
        with suppress(RegistryError, TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    if rival(self._own, await self._registrar.servers()) is not None:
                        return
                    await asyncio.sleep(_LOOK)

    async def withdraw(self, timeout: float) -> None:
        """Remove the entry; without an answer it ends by itself. Never raises."""
        if self._own is None:
            return
        self.registered = False
        try:
            async with asyncio.timeout(timeout):
                await self._registrar.withdraw()
        except (RegistryError, TimeoutError) as error:
            log.warning("server could not be deregistered; its entry ends by itself", error=str(error) or "no answer")

    async def _keep(self, server: Server) -> bool:
        if await self._registrar.keep(server):
            return True
        self.registered = False
        log.warning("registry has forgotten the server, which registers again", id=server.id)
        return False

    async def _yield_to(self, other: Server) -> None:
        self._rival, self.registered = None, False
        with suppress(RegistryError):
            await self._registrar.withdraw()
        raise _taken(other)


def _taken(other: Server) -> IdTaken:
    since = f", started {datetime.fromtimestamp(other.started, UTC):%Y-%m-%d %H:%M:%S} UTC" if other.started else ""
    where = ", ".join(sorted({one.address for one in other.endpoints})) or "no address"
    return IdTaken(
        f"the id {other.id!r} belongs to another live server ({where}{since}); give each server its own discovery.id"
    )
