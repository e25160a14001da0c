"""Lifecycle of the ``websocket`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from pyroadrunner.contracts import (
    EffectiveConfig,
    HasAddresses,
    HasConnections,
    HasMetrics,
    HasPools,
    HasRpc,
    HasStatus,
    HasStopHook,
    HttpMount,
    MetricFamily,
    MountsOnHttp,
    Plugin,
    PoolFactory,
    RpcMethod,
    ServedAddress,
    WorkerPool,
    all_serve,
    destroy_pools,
    queue_metrics,
    start_pools,
)
from pyroadrunner.plugins.websocket.config import HistoryConfig, WebSocketConfig
from pyroadrunner.plugins.websocket.drivers.contract import Driver
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.errors import NoHttp, NotInstalled, RedisNotUsable
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.metrics import families, sse_families
from pyroadrunner.plugins.websocket.topics import Topics
from pyroadrunner.plugins.websocket.turns import Turns
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig

_TICK = 1.0  # seconds between two checks of silent clients

try:
    from pyroadrunner.httpd.websocket.contract import WebSocketApp
    from pyroadrunner.httpd.websocket.endpoint import WebSocketEndpoint
    from pyroadrunner.plugins.websocket.pusher.api import PusherApi
    from pyroadrunner.plugins.websocket.pusher.app import CACHE_TTL, PusherApp, is_cached
    from pyroadrunner.plugins.websocket.pusher.client import PusherClient
    from pyroadrunner.plugins.websocket.pusher.endpoint import PusherEndpoint
    from pyroadrunner.plugins.websocket.rpc import WebSocketRpc
    from pyroadrunner.plugins.websocket.session import Counters, Environment
    from pyroadrunner.plugins.websocket.sessions import Sessions
    from pyroadrunner.plugins.websocket.sse import SseEndpoint
except ModuleNotFoundError as missing:
    raise NotInstalled(missing.name or "?") from missing


_CACHE = HistoryConfig(size=1, ttl=CACHE_TTL)


class WebSocketPlugin(
    Plugin, HasPools, HasRpc, HasMetrics, HasStatus, HasStopHook, HasConnections, MountsOnHttp, HasAddresses
):
    """The ``websocket`` section: a WebSocket server on the HTTP port."""

    name = "websocket"
    weight = 10  # its workers are ready before the HTTP port accepts connections

    def __init__(self, config: WebSocketConfig, effective: EffectiveConfig, factory: PoolFactory | None = None) -> None:
        self._config = config
        self._effective = effective
        self._factory = factory
        self._pools: dict[str, WorkerPool] = {}
        self._topics = Topics(config.topics)
        self._ticking: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._environment: Environment | None = None
        self._sessions: Sessions | None = None
        self._apps: list[PusherApp] = []
        self._pusher: PusherEndpoint | None = None
        self._sse: SseEndpoint | None = None

    def __repr__(self) -> str:
        return f"WebSocketPlugin({self._sessions}, {list(self._pools.values())})"

    async def start(self) -> None:
        """Start the workers. Redis is connected to in the background.

        Raises:
            RedisNotUsable, NotInstalled.
            NoHttp: no HTTP port is configured.
            WorkerStartError: the workers failed to start.
        """
        if self._effective.section("http") is None:
            raise NoHttp
        loop = asyncio.get_running_loop()
        config = self._config
        if config.events and self._factory is not None:
            env = {**config.env, "RR_MODE": "websocket"}
            self._pools = await start_pools(self._factory, {self.name: config.pool}, env)
        pool = self._pools.get(self.name)
        workers = len(await pool.workers()) if pool is not None else 0
        hub = Hub(self._driver(loop.time))
        await hub.driver.start(hub.deliver)
        self._environment = Environment(
            pool=pool,
            hub=hub,
            turns=Turns(max(1, 2 * workers)),
            limits=config.limits,
            topics=self._topics,
            events=frozenset(config.events if pool is not None else ()),
            clock=loop.time,
            sessions={},
            counters=Counters(),
        )
        self._sessions = Sessions(config, self._environment, self._topics)
        if config.sse_path:
            self._sse = SseEndpoint(config, hub, self._topics, loop.time)
        if config.apps:
            self._apps = [PusherApp(app, hub, loop.time) for app in config.apps]
            self._pusher = PusherEndpoint({app.config.key: app for app in self._apps}, self._sessions.limits)
        self._ticking = loop.create_task(self._tick(), name="websocket tick")

    async def stop(self, grace: float) -> None:
        """Let the workers handle what has arrived, then stop them. The HTTP port has closed the connections."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for task in (self._draining, self._ticking):
            if task is not None:
                task.cancel()
        environment = self._environment
        if environment is not None:
            for session in list(environment.sessions.values()):
                session.abort()
            for client in self._pusher_clients():
                client.abort()
            if self._sse is not None:
                self._sse.abort()
            await _idle(environment.turns, grace)
            await environment.hub.driver.stop()
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    def on_stopping(self) -> None:
        """Close the connections, over ``drain_timeout``: the HTTP port waits for them."""
        self._drain()

    def close_after_response(self) -> None:
        """Another process has taken over the addresses: the clients connect to that."""
        self._drain()

    def http_mounts(self) -> Sequence[HttpMount]:
        assert self._sessions is not None
        sessions = self._sessions
        mounts = [HttpMount(path=self._config.path, app=self._endpoint(sessions))]
        if self._sse is not None:
            mounts.append(HttpMount(path=self._config.sse_path, app=self._sse))
        if self._pusher is not None:
            prefix = self._config.apps_path
            api = PusherApi({app.config.id: app for app in self._apps}, prefix)
            mounts += [
                HttpMount(path=f"{prefix}/app/*", app=self._endpoint(self._pusher)),
                HttpMount(path=f"{prefix}/apps/*", app=api),
            ]
        return mounts

    def _endpoint(self, app: WebSocketApp) -> WebSocketEndpoint:
        return WebSocketEndpoint(app, compression=lambda: self._config.compression)

    def addresses(self) -> Sequence[ServedAddress]:
        return [ServedAddress(kind=self.name, address="", key="websocket.path", path=self._config.path)]

    def pools(self) -> Mapping[str, WorkerPool]:
        return self._pools

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        assert self._environment is not None
        return WebSocketRpc(self._environment).methods()

    async def metrics(self) -> Sequence[MetricFamily]:
        own = families(self._environment) if self._environment is not None else []
        if self._sse is not None:
            own = [*own, *sse_families(self._sse)]
        return [*own, *await queue_metrics(self.name, self._pools)]

    async def healthy(self) -> bool:
        """Whether the pool has a worker that is ready or working; without events none is needed."""
        return not self._pools or await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """The same, since events wait for a worker; and publications reach the other servers."""
        environment = self._environment
        carried = environment is not None and not environment.hub.driver.error
        return carried and self._draining is None and await self.healthy()

    def _driver(self, clock: Callable[[], float]) -> Driver:
        def history(topic: str) -> HistoryConfig:
            return _CACHE if is_cached(topic) else self._topics.of(topic).history

        config = self._config
        if config.driver == "memory":
            return MemoryDriver(history, clock)
        section = config.config or self._effective.section("redis")
        try:
            from pyroadrunner.plugins.websocket.drivers.redis import RedisDriver

            redis = section if isinstance(section, RedisConfig) else RedisConfig()
            return RedisDriver(redis, config.prefix, history)
        except ModuleNotFoundError as missing:
            raise NotInstalled(missing.name or "?", "redis") from missing
        except StoreError as error:
            raise RedisNotUsable(error) from error

    def _drain(self) -> None:
        if self._draining is None and self._sessions is not None:
            closing: list[Callable[[], None]] = [client.restart for client in self._pusher_clients()]
            if self._pusher is not None:
                self._pusher.draining = True
            if self._sse is not None:
                self._sse.drain()
            work = self._sessions.drain(self._config.drain_timeout, closing)
            self._draining = asyncio.get_running_loop().create_task(work, name="websocket drain")

    def _pusher_clients(self) -> list[PusherClient]:
        return [client for app in self._apps for client in app.clients.values()]

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            assert self._sessions is not None
            now = loop.time()
            self._sessions.tick(now)
            for client in self._pusher_clients():
                client.tick(now)
            if self._sse is not None:
                self._sse.tick(now)


async def _idle(turns: Turns, seconds: float) -> None:
    idle = asyncio.Event()
    turns.on_idle = idle.set
    await asyncio.sleep(0)  # connections that were cut have just closed
    if not turns.idle:
        await asyncio.wait([asyncio.ensure_future(idle.wait())], timeout=seconds)
