"""A listener whose engine is replaced while it runs.

Theory of operation. The engine reads its settings once, and ends the connections of HTTP/2 gracefully (GOAWAY) only all
together. So for a new certificate, or when connections have reached their age, a new engine starts beside the old one
and gets all new connections from then on (``net/reuseport.py``). The old engine retires: it closes each of its
connections of HTTP/1.1 after the next response. After some seconds it announces to the others that it closes, and calls
that still run then end in their own time, or after ``age_grace``. It would close all WebSockets at once, so with those
it waits until the last has ended, or until its port is needed (the next new engine, a takeover).
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.reuseport import BOTH_ACCEPT, bind_again, steer

_INTERVAL = 1.0  # seconds between two ticks
HANDSHAKE_TIMEOUT = 1.0  # seconds for TCP handshakes that have begun
_RETIREMENT = 10.0  # seconds that a retired engine keeps idle connections
_JITTER = 0.1  # of the age, so that not all servers lose their connections at once


class RenewableListener:
    """Serves one ASGI application, with one engine after the other.

    Args:
        limits: see :class:`HttpListener`; the connections are those of one engine.
        tls: the checked files of the certificate; ``None`` = plain HTTP.
        date, channel: see :class:`HttpListener`.
        retirement: seconds that idle connections of a retired engine stay open.
        max_age: seconds after which all connections are closed gracefully, a tenth more or less; 0 = never.
        age_grace: seconds for the calls of these connections; then they are cut. 0 = no limit.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        *,
        streams: int,
        limits: Limits | None = None,
        tls: TlsFiles | None = None,
        date: bool = True,
        channel: str = "http",
        tick: float = _INTERVAL,
        retirement: float = _RETIREMENT,
        max_age: float = 0.0,
        age_grace: float = 0.0,
    ) -> None:
        self._app = app
        self._log = Log(channel)
        self._bound = bound
        self._tls = tls
        self._streams = streams
        self._limits = limits
        self._date = date
        self._every = min(tick, max_age / 2) if max_age else tick
        self._max_age = max_age
        self._age_grace = age_grace or math.inf
        self._renew_at = math.inf
        self._retirement = 0.0 if BOTH_ACCEPT else retirement
        self._current = self._listener(bound, app)
        self._retired: list[RetiredEngine] = []
        self._changing = asyncio.Lock()
        self._ticking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._bound.address.short}, retired={len(self._retired)})"

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            ListenError: the server fails to start.
        """
        await self._current.start()
        self._schedule()
        self._ticking = asyncio.create_task(self._tick(), name=f"engine of {self._bound.address.short}")
        takeover.register_holder(self)

    async def run(self) -> None:
        """Wait until it has stopped."""
        served = None
        while served is not self._current:
            served = self._current
            await served.run()

    async def check(self) -> None:
        """Called every second: replace the engine if something has changed."""

    def close_after_response(self) -> None:
        """Close each connection after its next response, since another server has taken over the address. The engine is
        no longer replaced: a second one here would take connections from the other server."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._current.close_after_response()

    def keep_newest_socket(self) -> None:
        """Stop the retired engines: another listener is about to use the port, and at most two may."""
        for old in self._retired:
            if not old.apart:
                old.refuse()

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await self._current.drain()

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._current.refuse()
        for old in self._retired:
            old.refuse()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""
        listeners = [self._current, *(old.listener for old in self._retired)]
        await asyncio.gather(*(listener.finish(grace) for listener in listeners))

    def _listener(self, bound: BoundSockets, app: ASGIApp) -> HttpListener:
        return HttpListener(
            app,
            bound,
            streams=self._streams,
            limits=self._limits,
            tls=self._tls,
            date=self._date,
            channel=self._log.name,
        )

    async def _replace(self, retirement: float, cut: float = math.inf) -> None:
        """Start a new engine.

        Args:
            retirement: seconds that the old one keeps idle connections.
            cut: seconds after that in which its requests must end.
        """
        self.keep_newest_socket()
        bound = bind_again(self._bound)
        listener = self._listener(bound, self._app)
        await listener.start()
        steer(bound)
        self._current.close_after_response()
        until = asyncio.get_running_loop().time() + retirement
        self._retired.append(RetiredEngine(self._current, until, until + cut))
        self._current, self._bound = listener, bound
        self._schedule()

    def _schedule(self) -> None:
        if self._max_age:
            age = self._max_age * random.uniform(1 - _JITTER, 1 + _JITTER)
            self._renew_at = asyncio.get_running_loop().time() + age

    async def _renew(self) -> None:
        async with self._changing:
            try:
                await self._replace(min(HANDSHAKE_TIMEOUT, self._retirement), self._age_grace)
            except RoadRunnerError as wrong:
                self._log.error("connections can't be closed at their age", error=str(wrong))
                self._schedule()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._every)
            await self.check()
            if loop.time() >= self._renew_at:
                await self._renew()
            for old in self._retired:
                if old.until <= loop.time() and (BOTH_ACCEPT or not old.listener.sockets):
                    old.refuse()
            for old in [old for old in self._retired if old.listener.done or old.cut <= loop.time()]:
                self._retired.remove(old)
                await old.listener.finish(0)


@dataclass(slots=True)
class RetiredEngine:
    """An engine that gets no new connections.

    Attributes:
        until: time of the loop at which its idle connections are closed.
        cut: time of the loop at which its requests are cancelled.
        apart: it listens on a port of its own.
    """

    listener: HttpListener
    until: float
    cut: float = math.inf
    apart: bool = False
    refused: bool = False

    def refuse(self) -> None:
        if not self.refused:
            self.refused = True
            self.listener.refuse()
