"""Lifecycle of the plugin ``websockets``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from pyroadrunner.contracts import (
    EffectiveConfig,
    HasConnections,
    HasMetrics,
    HasPools,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    HttpMount,
    Log,
    MetricFamily,
    MountsOnHttp,
    NoFreeWorker,
    Plugin,
    PoolClosed,
    PoolFactory,
    PublishesToTopics,
    QueueFull,
    RoadRunnerError,
    Sample,
    WorkerPool,
    all_serve,
    destroy_pools,
    queue_metrics,
    start_pools,
)
from pyroadrunner.httpd.flood_log import FloodLog
from pyroadrunner.plugins.websocket.broadcast.config import BroadcastConfig, RedisBroker, WebSocketsConfig
from pyroadrunner.plugins.websocket.broadcast.errors import SamePath, UnknownBroker
from pyroadrunner.plugins.websocket.broadcast.requests import WorkerRequest
from pyroadrunner.plugins.websocket.config import HistoryConfig, WebSocketConfig
from pyroadrunner.plugins.websocket.drivers.contract import Driver
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.errors import NoHttp, NotInstalled, RedisNotUsable
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig

try:
    from pyroadrunner.httpd.websocket.contract import Accepted, Handshake, Refused, SocketLimits
    from pyroadrunner.httpd.websocket.endpoint import WebSocketEndpoint
    from pyroadrunner.plugins.websocket.broadcast.client import BroadcastClient, Shared, publication
except ModuleNotFoundError as missing:
    raise NotInstalled(missing.name or "?") from missing

_TICK = 1.0  # seconds between two checks of silent clients
_DRAIN = 10.0  # seconds over which connections are closed at a stop
_STEP = 0.1
_PREFIX = "rr.websockets"  # of the channel in Redis
_TEXT = [(b"content-type", b"text/plain; charset=utf-8")]

log = Log("websockets")
flood_log = FloodLog(log, monotonic)


class WebSocketsPlugin(
    Plugin,
    HasPools,
    HasMetrics,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    HasConnections,
    MountsOnHttp,
    PublishesToTopics,
):
    """The ``websockets`` section: the WebSocket server of RoadRunner until 2.12."""

    name = "websockets"
    weight = 10  # its workers are ready before the HTTP port accepts connections

    def __init__(self, config: WebSocketsConfig, effective: EffectiveConfig, factory: PoolFactory) -> None:
        self._config = config
        self._effective = effective
        self._factory = factory
        self._origins = Origins([config.allowed_origin or "*"])
        self._pools: dict[str, WorkerPool] = {}
        self._shared: Shared | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._opened = 0

    def __repr__(self) -> str:
        return f"WebSocketsPlugin({self._config.path}, {list(self._pools.values())})"

    async def start(self) -> None:
        """Start the workers. Redis is connected to in the background.

        Raises:
            UnknownBroker, RedisNotUsable, NotInstalled, SamePath.
            NoHttp: no HTTP port is configured.
            WorkerStartError: the workers failed to start.
        """
        if self._effective.section("http") is None:
            raise NoHttp
        native = self._effective.section("websocket")
        if isinstance(native, WebSocketConfig) and not native.address and native.path == self._config.path:
            raise SamePath(native.path)
        loop = asyncio.get_running_loop()
        driver = self._driver(loop.time)
        env = {"RR_MODE": "http", "RR_BROADCAST_PATH": self._config.path}
        self._pools = await start_pools(self._factory, {self.name: self._config.pool}, env)
        hub = Hub(driver)
        await driver.start(hub.deliver)
        self._shared = Shared(pool=self._pools[self.name], hub=hub)
        self._ticking = loop.create_task(self._tick(), name="websockets tick")

    async def stop(self, grace: float) -> None:
        """The HTTP port has closed the connections."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for task in (self._draining, self._ticking):
            if task is not None:
                task.cancel()
        if self._shared is not None:
            for client in list(self._shared.clients.values()):
                client.abort()
            if self._shared.tasks:
                await asyncio.wait(self._shared.tasks, timeout=grace)
            await self._shared.hub.driver.stop()
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    async def publish_to_topics(self, topics: Sequence[str], payload: bytes) -> None:
        assert self._shared is not None
        for topic in topics:
            await self._shared.hub.publish(topic, publication(topic, payload), text=True)

    async def accept(self, handshake: Handshake) -> Accepted | Refused:
        """Decide on a handshake: the origin, then a worker."""
        assert self._shared is not None
        scope = handshake.scope
        if self._draining is not None:
            return _refused(503, "the server stops")
        if not self._origins.allow(handshake.headers, secure=scope["scheme"] in ("https", "wss")):
            flood_log.warning("refused a page of another origin", origin=handshake.headers[b"origin"].decode("latin-1"))
            return _refused(405, "this origin may not connect")
        client = BroadcastClient(self._shared, WorkerRequest(scope))
        try:
            answer, body = await client.ask()
        except (QueueFull, NoFreeWorker, PoolClosed) as overload:
            flood_log.warning("handshake failed", error=str(overload))
            return _refused(503, "the server is overloaded")
        except RoadRunnerError as error:
            flood_log.error("no worker has decided on a connection", error=str(error))
            return _refused(400, "the handshake could not be handled")
        if answer.status != 200:
            headers = answer.headers if isinstance(answer.headers, dict) else {}
            pairs = [
                (name.lower().encode(), value.encode())
                for name, values in headers.items()
                for value in ([values] if isinstance(values, str) else values)
            ]
            status = answer.status if 300 <= answer.status <= 599 else 403
            return Refused(status=status, headers=pairs, body=body)
        self._opened += 1
        return Accepted(handler=client, limits=SocketLimits())

    def on_stopping(self) -> None:
        self._drain()

    def close_after_response(self) -> None:
        self._drain()

    def http_mounts(self) -> Sequence[HttpMount]:
        return [HttpMount(path=self._config.path, app=WebSocketEndpoint(self))]

    def pools(self) -> Mapping[str, WorkerPool]:
        return self._pools

    async def metrics(self) -> Sequence[MetricFamily]:
        shared = self._shared
        if shared is None:
            return []
        counters = shared.hub.counters
        figures = [
            ("connections", "gauge", "Open connections.", len(shared.clients)),
            ("topics", "gauge", "Topics with clients here.", len(shared.hub.topics)),
            ("opened_total", "counter", "Connections opened.", self._opened),
            ("published_total", "counter", "Publications of this server.", sum(counters.published.values())),
            ("delivered_total", "counter", "Publications given to clients here.", sum(counters.delivered.values())),
        ]
        own = [
            MetricFamily(f"rr_websockets_{name}", kind, text, [Sample({}, value)])
            for name, kind, text, value in figures
        ]
        return [*own, *await queue_metrics(self.name, self._pools)]

    async def healthy(self) -> bool:
        """Whether the pool has a worker that is ready or working."""
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """The same, and publications reach the other servers."""
        carried = self._shared is not None and not self._shared.hub.driver.error
        return carried and self._draining is None and await all_serve(self._pools.values())

    def status_message(self) -> str:
        """Why publications do not reach other servers."""
        error = self._shared.hub.driver.error if self._shared is not None else ""
        return f"redis is away: {error}" if error else ""

    def _driver(self, clock: Callable[[], float]) -> Driver:
        section = self._effective.section("broadcast")
        brokers = section.brokers if isinstance(section, BroadcastConfig) else {}
        name = self._config.broker
        if name not in brokers:
            raise UnknownBroker(name, brokers)
        broker = brokers[name]
        if not isinstance(broker, RedisBroker):
            return MemoryDriver(_no_history, clock)
        settings = broker.config or self._effective.section(name)
        try:
            from pyroadrunner.plugins.websocket.drivers.redis import RedisDriver

            redis = settings if isinstance(settings, RedisConfig) else RedisConfig()
            return RedisDriver(redis, _PREFIX, _no_history)
        except ModuleNotFoundError as missing:
            raise NotInstalled(missing.name or "?", "redis") from missing
        except StoreError as error:
            raise RedisNotUsable(error) from error

    def _drain(self) -> None:
        if self._draining is None and self._shared is not None:
            clients = list(self._shared.clients.values())
            self._draining = asyncio.get_running_loop().create_task(_close(clients), name="websockets drain")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            assert self._shared is not None
            for client in list(self._shared.clients.values()):
                client.tick(loop.time())


async def _close(clients: Sequence[BroadcastClient]) -> None:
    """Close connections, a few at a time, so that their clients do not come back all at once."""
    group = max(1, -(-len(clients) // int(_DRAIN / _STEP)))
    for start in range(0, len(clients), group):
        if start:
            await asyncio.sleep(_STEP)
        for client in clients[start : start + group]:
            client.restart()


def _no_history(_: str) -> HistoryConfig:
    return HistoryConfig()


def _refused(status: int, why: str) -> Refused:
    return Refused(status=status, headers=_TEXT, body=f"{why}\n".encode())
