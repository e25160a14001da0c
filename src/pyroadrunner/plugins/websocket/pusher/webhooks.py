"""Webhooks: tells the backends of an application what happens in its channels.

An endpoint has a bounded queue and one request at a time, so events arrive in order, and those that wait for a request
travel together. Nothing waits for an endpoint: whatever exceeds its queue is dropped and counted.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from pyroadrunner.contracts import Log
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.websocket.pusher import signatures
from pyroadrunner.plugins.websocket.pusher.config import AppConfig, WebhookConfig
from pyroadrunner.plugins.websocket.topics import pattern

MAX_EVENTS = 10_000  # that wait for an endpoint
MAX_BYTES = 8 << 20
_BATCH = 100  # events of one request
_BATCH_BYTES = 512 << 10
_GIVE_UP = 300.0  # seconds after the first attempt
_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between attempts; the last one repeats

log = Log("websocket")

Sleep = Callable[[float], Awaitable[None]]


class WebhookFailed(RoadRunnerError):
    """An attempt has failed; the text says why."""


class Transport(Protocol):
    """Sends a body to one endpoint.

    Attributes:
        own: whether that is the application of this server, which stops before the last webhooks are sent.
    """

    own: bool

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the response.

        Raises:
            WebhookFailed: there was none.
        """


@dataclass(slots=True)
class WebhookCounters:
    """Of one endpoint.

    Attributes:
        sent: events that were received.
        failed: attempts that were not.
        dropped: events that were not delivered: too many waited, or the endpoint did not receive them in time.
    """

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class WebhookEndpoint:
    """One entry of ``webhooks``.

    Args:
        clock: seconds, monotonic.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        app: AppConfig,
        config: WebhookConfig,
        transport: Transport,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.counters = WebhookCounters()
        self.url = shown(config.url)
        self._app = app
        self._config = config
        self._events = frozenset(config.events)
        self._channels = pattern(config.channels) if config.channels else None
        self._transport = transport
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._missed: set[str] = set()  # channels whose cache_miss waits
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failing = False
        self._dropping = False

    def __repr__(self) -> str:
        return f"WebhookEndpoint({self.url}, waiting={len(self._waiting)})"

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._waiting)

    def wants(self, name: str, channel: str) -> bool:
        """Whether the endpoint gets such an event."""
        if self._events and name not in self._events:
            return False
        return self._channels is None or self._channels.fullmatch(channel) is not None

    def add(self, name: str, channel: str, event: bytes) -> None:
        """Queue an event."""
        if name == "cache_miss":
            if channel in self._missed:
                return  # many subscribers miss the same
            self._missed.add(channel)
        if len(self._waiting) >= MAX_EVENTS or self._bytes + len(event) > MAX_BYTES:
            self.counters.dropped += 1
            if not self._dropping:
                log.error("webhooks are dropped: too many wait", url=self.url, waiting=len(self._waiting))
            self._dropping = True
            return
        self._waiting.append(event)
        self._bytes += len(event)
        self._wake.set()

    async def run(self) -> None:
        """Send until :meth:`stop`, and then what waits, each batch once."""
        while True:
            if not self._waiting:
                if self._stopping.is_set():
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take()
            try:
                await self._send(batch)
            except asyncio.CancelledError:
                self.counters.dropped += len(batch)
                raise
            except Exception as error:  # a fault of ours must not end all webhooks of this endpoint
                self.counters.dropped += len(batch)
                log.error("webhooks were lost", url=self.url, events=len(batch), error=repr(error))

    def stop(self) -> None:
        """Let :meth:`run` return soon."""
        if self._transport.own and (count := self.abandon()):
            log.info("webhooks are not sent: the application has stopped", url=self.url, events=count)
        self._stopping.set()
        self._wake.set()

    def abandon(self) -> int:
        """Forget what waits; return how many events."""
        count = len(self._waiting)
        self.counters.dropped += count
        self._waiting.clear()
        self._bytes = 0
        return count

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._waiting and len(batch) < _BATCH and (not batch or size + len(self._waiting[0]) <= _BATCH_BYTES):
            batch.append(self._waiting.popleft())
            size += len(batch[-1])
        self._bytes -= size
        self._missed.clear()
        self._dropping = self._dropping and bool(self._waiting)
        return batch

    async def _send(self, batch: Sequence[bytes]) -> None:
        began, attempt = self._clock(), 0
        while True:
            why = await self._attempt(batch)
            if not why:
                self.counters.sent += len(batch)
                if self._failing:
                    log.info("webhooks are received again", url=self.url)
                self._failing = False
                return
            self.counters.failed += 1
            if not self._failing:
                log.warning("a webhook was not received; trying again", url=self.url, error=why)
            self._failing = True
            delay = _DELAYS[min(attempt, len(_DELAYS) - 1)] * random.uniform(0.5, 1.0)
            attempt += 1
            if self._stopping.is_set() or self._clock() + delay - began > _GIVE_UP:
                self.counters.dropped += len(batch)
                log.error("webhooks were given up", url=self.url, events=len(batch), attempts=attempt, error=why)
                return
            await self._pause(delay)

    async def _pause(self, seconds: float) -> None:
        """Wait for the next attempt, or for the stop."""
        tasks = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _attempt(self, batch: Sequence[bytes]) -> str:
        """Why the batch was not received; empty = it was."""
        # Signed anew each time: receivers refuse old stamps.
        body = b'{"time_ms":%d,"events":[%s]}' % (int(self._wall() * 1000), b",".join(batch))
        headers = {
            **self._config.headers,
            "Content-Type": "application/json",
            "X-Pusher-Key": self._app.key,
            "X-Pusher-Signature": signatures.sign_bytes(self._app.secret, body),
        }
        try:
            status = await self._transport.post(body, headers)
        except RoadRunnerError as error:
            return str(error)
        if 200 <= status < 300:
            return ""
        return f"status {status}{', and redirects are not followed' if 300 <= status < 400 else ''}"


class Webhooks:
    """All endpoints of one application. Without any it costs nothing."""

    def __init__(self, endpoints: Sequence[WebhookEndpoint] = ()) -> None:
        self.endpoints = endpoints
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"Webhooks({list(self.endpoints)})"

    def __bool__(self) -> bool:
        return bool(self.endpoints)

    def start(self) -> None:
        """Begin to send."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one.run(), name=f"webhooks to {one.url}") for one in self.endpoints]

    def emit(self, name: str, channel: str, fields: Mapping[str, Any] | None = None) -> None:
        """Tell the endpoints that want it."""
        wanting = [one for one in self.endpoints if one.wants(name, channel)]
        if wanting:
            event = msgspec.json.encode({"name": name, "channel": channel, **(fields or {})})
            for one in wanting:
                one.add(name, channel, event)

    async def stop(self, seconds: float) -> None:
        """Send what waits, within a time limit."""
        for one in self.endpoints:
            one.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for one in self.endpoints:
            if count := one.abandon():
                log.error("webhooks were not sent before the stop", url=one.url, events=count)


def shown(url: str) -> str:
    """An address for logs: without user, password and query, which may be secret."""
    if url.startswith("/"):
        return url.partition("?")[0]
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
