"""All connections of all servers: by uuid, for operators; their deadlines; the CLOSE events that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from pyroadrunner.plugins.tcp.event_log import EventLog, log

if TYPE_CHECKING:
    from pyroadrunner.plugins.tcp.connection import Connection

_UNWIND = 1.0  # seconds for connections that were cut off to end
CLOSE_TIMEOUT = 60.0  # seconds a worker may take for a CLOSE event, without an exec_ttl


class Connections:
    """The connections that are open, or whose CLOSE event is due.

    Attributes:
        loop: set at the start.
        postponed: those whose CLOSE event waits for room in the queue of the pool.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        self.log = EventLog()
        self.postponed: deque[Connection] = deque()
        self._finishing = False
        self._by_uuid: dict[str, Connection] = {}
        self._ended = asyncio.Event()

    def __repr__(self) -> str:
        return f"Connections({len(self._by_uuid)}, {len(self.postponed)} postponed)"

    def __len__(self) -> int:
        return len(self._by_uuid)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_uuid.values()))

    def find(self, uuid: str) -> Connection | None:
        """A connection by its uuid."""
        return self._by_uuid.get(uuid)

    def add(self, connection: Connection) -> None:
        """A client has connected."""
        self._by_uuid[connection.uuid] = connection

    def discard(self, connection: Connection) -> None:
        """It is gone, and no event of it follows."""
        self._by_uuid.pop(connection.uuid, None)
        if self._finishing and not self._by_uuid:
            self._ended.set()

    def send_postponed(self) -> None:
        """Give the oldest postponed CLOSE event to the pool; if its queue is still full, it is postponed again."""
        if self.postponed:
            self.postponed.popleft().send_close()

    def tick(self, now: float) -> None:
        """Check all deadlines; called once a second."""
        for _ in range(len(self.postponed)):
            before = len(self.postponed)
            self.send_postponed()
            if len(self.postponed) == before:
                break
        for connection in self:
            connection.check(now)

    async def finish(self, grace: float) -> None:
        """Close each connection after its running event, and wait for the CLOSE events. Those that are left after
        ``grace`` seconds are cut off. Listeners must accept no more."""
        self._finishing = True
        for connection in self:
            connection.wind_down()
        if await self._ends_within(grace):
            return
        log.warning("grace period over; cutting off the remaining connections", connections=len(self._by_uuid))
        for connection in self:
            connection.give_up()
        await self._ends_within(_UNWIND)

    async def _ends_within(self, seconds: float) -> bool:
        if not self._by_uuid:
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), max(seconds, 0.0))
        return self._ended.is_set()
