"""The servers of the cluster, as last read. While the registry is away, the last list stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyroadrunner.plugins.discovery.drivers.contract import Registry
from pyroadrunner.plugins.discovery.server import Server, newest
from pyroadrunner.plugins.discovery.standing import log

MAX_SERVERS = 10_000


class Cluster:
    """What was read.

    Attributes:
        servers: one per id, in their order.
        read_at: time of the clock at the last reading; ``None`` = it was never read.

    Args:
        clock: seconds.
        on_read: gets all entries.
    """

    def __init__(self, clock: Callable[[], float], on_read: Callable[[Sequence[Server]], None]) -> None:
        self.servers: Sequence[Server] = ()
        self.read_at: float | None = None
        self._clock = clock
        self._on_read = on_read
        self._too_many = False

    async def read(self, registry: Registry) -> None:
        """Read a registry.

        Raises:
            RegistryError
        """
        found = await registry.servers()
        if len(found) > MAX_SERVERS:
            if not self._too_many:
                log.error(
                    "registry has too many servers; the others are left out", servers=len(found), most=MAX_SERVERS
                )
            self._too_many = True
            found = found[:MAX_SERVERS]
        else:
            self._too_many = False
        self._on_read(found)
        self.servers = newest(found)
        self.read_at = self._clock()

    def age(self) -> float | None:
        """Seconds since the last reading."""
        return None if self.read_at is None else self._clock() - self.read_at
