"""Cancels queued requests whose clients have disconnected, so that workers do not run them for nothing.

In an overload many clients disconnect. Their requests would keep the workers busy long after the overload is over. Our
own HTTP/1 server and HTTP/2 tell at once; this is for HTTP/1.1 on h2corn, which reads nothing while a request runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from pyroadrunner.contracts import WorkerPool
from pyroadrunner.log import Log

_EVERY = 0.5  # seconds
_WAITED = 0.25  # seconds the oldest request of a pool must have waited for a check to be worth it

log = Log("http")


class WaitingCall(Protocol):
    """A call without a reply."""

    def on_left(self, gone: bool) -> None:
        """The client has disconnected; ``gone``: it can't read a response any more."""


class PendingCalls:
    """Calls without a reply yet.

    Attributes:
        ports: TCP port of the client, by the call. The application writes it itself, for each request.
    """

    __slots__ = ("ports",)

    def __init__(self) -> None:
        self.ports: dict[WaitingCall, int] = {}

    def __repr__(self) -> str:
        return f"PendingCalls({len(self.ports)})"

    def cancel_disconnected(self, connected: Collection[int]) -> int:
        """Cancel the calls whose client's port is not in ``connected``; return their number."""
        left = [call for call, port in self.ports.items() if port not in connected]
        for call in left:
            del self.ports[call]
            call.on_left(True)
        return len(left)


class Disconnects:
    """Watches the queues of some pools.

    Args:
        pools: by name; read at each check.
        calls: their calls without a reply.
        connected: returns the ports of the connected clients; may raise OSError.
    """

    def __init__(
        self, pools: Mapping[str, WorkerPool], calls: PendingCalls, connected: Callable[[], Collection[int]]
    ) -> None:
        self._pools = pools
        self._calls = calls
        self._connected = connected

    def __repr__(self) -> str:
        return f"Disconnects({list(self._pools)})"

    async def run(self) -> None:
        """Check every half a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.check()

    async def check(self) -> None:
        """Cancel calls whose clients have disconnected. Cheap if no request has waited long."""
        if not any([(await pool.stats()).waiting >= _WAITED for pool in self._pools.values()]):
            return
        try:
            connected = self._connected()
        except OSError:  # no file descriptor left for the query: cancel nothing
            return
        if given_up := self._calls.cancel_disconnected(connected):
            log.info("cancelled queued requests whose clients disconnected", requests=given_up)
