"""Lifecycle of the ``websocket`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import (
    EffectiveConfig,
    HandlesRequests,
    HasAddresses,
    HasCertificates,
    HasConnections,
    HasMetrics,
    HasPages,
    HasPools,
    HasRpc,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    HasTask,
    HttpMount,
    MetricFamily,
    MountsOnHttp,
    Page,
    PageInfo,
    Plugin,
    PoolFactory,
    PreparedReload,
    PublishesToTopics,
    Reloadable,
    RpcMethod,
    ServedAddress,
    Tracing,
    WorkerPool,
    all_serve,
    destroy_pools,
    queue_metrics,
    start_pools,
)
from pyroadrunner.httpd.own_port import OwnPort
from pyroadrunner.log import Log
from pyroadrunner.plugins.websocket.config import HistoryConfig, WebSocketConfig
from pyroadrunner.plugins.websocket.counters import Counters, Label, TopicCounters
from pyroadrunner.plugins.websocket.drivers.contract import Driver, Entered, Left, Member
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.errors import NoHttp, NotInstalled, RedisNotUsable
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.metrics import Clients, families, sse_families, webhook_families
from pyroadrunner.plugins.websocket.reloadable import RELOADABLE_KEYS
from pyroadrunner.plugins.websocket.topics import Topics
from pyroadrunner.plugins.websocket.tracing import EventTracer
from pyroadrunner.plugins.websocket.turns import Turns
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig

_GIVEN_UP_GRACE = 10.0  # seconds for the first clients if the start is cancelled, which means that the server stops
_GRACE = 30.0  # the default of endure.grace_period
_DRAIN_SHARE = 0.8  # of the grace period: the last clients that are closed need time to answer
_TICK = 1.0  # seconds between two checks of silent clients

try:
    from pyroadrunner.httpd.websocket.contract import WebSocketApp
    from pyroadrunner.httpd.websocket.endpoint import WebSocketEndpoint
    from pyroadrunner.plugins.websocket.pages import INFO, close, connections_page
    from pyroadrunner.plugins.websocket.pusher.api import PusherApi
    from pyroadrunner.plugins.websocket.pusher.app import CACHE_TTL, PusherApp, class_of, is_cached, is_channel_of
    from pyroadrunner.plugins.websocket.pusher.client import PusherClient
    from pyroadrunner.plugins.websocket.pusher.endpoint import PusherEndpoint
    from pyroadrunner.plugins.websocket.pusher.open_webhooks import OpenWebhooks
    from pyroadrunner.plugins.websocket.rpc import WebSocketRpc
    from pyroadrunner.plugins.websocket.session import Environment
    from pyroadrunner.plugins.websocket.sessions import Sessions
    from pyroadrunner.plugins.websocket.sse import SseEndpoint
except ModuleNotFoundError as missing:
    raise NotInstalled(missing.name or "?") from missing


_CACHE = HistoryConfig(size=1, ttl=CACHE_TTL)

log = Log("websocket")


class WebSocketPlugin(
    Plugin,
    HasTask,
    HasPools,
    HasRpc,
    HasMetrics,
    HasStatus,
    HasStatusMessage,
    HasPages,
    HasStopHook,
    HasConnections,
    HasCertificates,
    MountsOnHttp,
    PublishesToTopics,
    Reloadable,
    HasAddresses,
):
    """The ``websocket`` section: a WebSocket server on the HTTP port, or on a port of its own."""

    name = "websocket"
    weight = 10  # its workers are ready before the HTTP port accepts connections

    def __init__(
        self,
        config: WebSocketConfig,
        effective: EffectiveConfig,
        factory: PoolFactory | None = None,
        tracing: Sequence[Tracing] = (),
        http: Sequence[HandlesRequests] = (),
    ) -> None:
        self._config = config
        self._http = http
        self._effective = effective
        self._factory = factory
        self._tracer = EventTracer(tracing, config.path)
        self._pools: dict[str, WorkerPool] = {}
        self._topics = Topics(config.topics)
        self._ticking: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._environment: Environment | None = None
        self._sessions: Sessions | None = None
        self._apps: list[PusherApp] = []
        self._pusher: PusherEndpoint | None = None
        self._sse: SseEndpoint | None = None
        self._webhooks: OpenWebhooks | None = None
        self._replaced = False
        self._port: OwnPort | None = None

    def __repr__(self) -> str:
        return f"WebSocketPlugin({self._sessions}, {list(self._pools.values())})"

    @property
    def port(self) -> int:
        """Its own port, even if the config says 0; 0 = it has none."""
        return self._port.port if self._port is not None else 0

    async def start(self) -> None:
        """Start the workers; accept connections on the own port, if there is one. Redis is connected to in the
        background.

        Raises:
            RedisNotUsable, NotInstalled.
            NoHttp: no port is configured.
            NoApplication: a webhook is for the application of this server, which has none.
            ListenError, TlsError: the address can't be bound, or a certificate can't be used.
            WorkerStartError: the workers failed to start.
        """
        if not self._config.address:
            if self._effective.section("http") is None:
                raise NoHttp
            await self._start()
            return
        # Bind first: a taken address is reported immediately, while workers may take seconds to boot.
        port = OwnPort(self._config.address, self._config.tls, self.name, log)
        try:
            await self._start()
            await port.start(self._mounts())
        except BaseException as wrong:
            await port.stop(_GIVEN_UP_GRACE if isinstance(wrong, asyncio.CancelledError) else 0)
            await self.stop(0)
            raise
        self._port = port

    async def run(self) -> None:
        """Wait until the own port has stopped."""
        if self._port is not None:
            await self._port.run()

    async def _start(self) -> None:
        self._tracer.start()
        loop = asyncio.get_running_loop()
        config = self._config
        if any(app.webhooks for app in config.apps):
            self._webhooks = OpenWebhooks(config.apps, self._http, loop.time)
        if config.events and self._factory is not None:
            env = {**config.env, "RR_MODE": "websocket"}
            self._pools = await start_pools(self._factory, {self.name: config.pool}, env)
        pool = self._pools.get(self.name)
        workers = len(await pool.workers()) if pool is not None else 0
        hub = Hub(self._driver(loop.time), TopicCounters(self._class_of))
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
            tracer=self._tracer,
        )
        self._sessions = Sessions(config, self._environment, self._topics)
        if config.sse_path:
            self._sse = SseEndpoint(config, hub, self._topics, loop.time)
        if config.apps:
            self._apps = self._pusher_apps(hub, loop.time)
            self._pusher = PusherEndpoint({app.config.key: app for app in self._apps}, self._sessions.limits)
        self._ticking = loop.create_task(self._tick(), name="websocket tick")

    async def stop(self, grace: float) -> None:
        """Let the workers handle what has arrived, then stop them. The HTTP port has closed the connections."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        if self._port is not None:
            await self._port.stop(grace)
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
            await _idle(environment.turns, max(0.0, until - loop.time()))
            left = until - loop.time()
            await asyncio.gather(*(app.stop(left, replaced=self._replaced) for app in self._apps))
            if self._webhooks is not None:
                await self._webhooks.close()
            await environment.hub.driver.stop()
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    def on_stopping(self) -> None:
        """Close the connections, over ``drain_timeout``: the HTTP port waits for them."""
        self._drain()

    def close_after_response(self) -> None:
        """Another process has taken over the addresses: the clients connect to that."""
        self._replaced = True
        self._drain()
        if self._port is not None:
            self._port.close_after_response()

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        if self._port is not None:
            await self._port.reload_certificates()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """Those of the pool, the limits and the topics, but not those of ports, paths and Redis."""
        return RELOADABLE_KEYS

    async def prepare_reload(self, section: WebSocketConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Change the pool, and the settings of topics and of new connections."""

        def apply() -> None:
            self._config = section
            for pool in self._pools.values():
                pool.reconfigure(section.pool)
            self._topics.become(section.topics)
            if self._environment is not None:
                self._environment.hub.counters.forget()
            if self._sessions is not None:
                self._sessions.reconfigure(section)
                if self._pusher is not None:
                    self._pusher.reconfigure(self._sessions.limits)
            if self._sse is not None:
                self._sse.reconfigure(section)

        return PreparedReload(apply)

    def http_mounts(self) -> Sequence[HttpMount]:
        """Its paths; none if it has a port of its own."""
        return () if self._config.address else self._mounts()

    def _mounts(self) -> Sequence[HttpMount]:
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
        address, key = (self._port.address, "websocket.address") if self._port is not None else ("", "websocket.path")
        return [ServedAddress(kind=self.name, address=address, key=key, path=self._config.path)]

    async def publish_to_topics(self, topics: Sequence[str], payload: bytes) -> None:
        """Publish as text if it is UTF-8, otherwise as bytes."""
        assert self._environment is not None
        try:
            payload.decode()
            text = True
        except UnicodeDecodeError:
            text = False
        for topic in topics:
            await self._environment.hub.publish(topic, payload, text=text)

    def pools(self) -> Mapping[str, WorkerPool]:
        return self._pools

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        assert self._environment is not None
        return WebSocketRpc(self._environment, self._apps).methods()

    def pages(self) -> Sequence[PageInfo]:
        return (INFO,) if self._environment is not None else ()

    async def page(self, name: str) -> Page:
        assert self._environment is not None
        return connections_page(self._environment, self._apps)

    async def run_action(self, page: str, action: str, row: str) -> str:
        assert self._environment is not None
        return close(self._environment, self._apps, action, row)

    async def metrics(self) -> Sequence[MetricFamily]:
        own: Sequence[MetricFamily] = ()
        if self._environment is not None:
            own = families(self._environment, list(self._clients(self._environment)), self._config.driver)
        if self._sse is not None:
            own = [*own, *sse_families(self._sse)]
        if self._webhooks is not None:
            own = [*own, *webhook_families(self._apps)]
        return [*own, *await queue_metrics(self.name, self._pools)]

    async def healthy(self) -> bool:
        """Whether the pool has a worker that is ready or working; without events none is needed."""
        return not self._pools or await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """The same, since events wait for a worker; and publications reach the other servers."""
        environment = self._environment
        carried = environment is not None and not environment.hub.driver.error
        return carried and self._draining is None and await self.healthy()

    def status_message(self) -> str:
        """Why publications do not reach other servers."""
        error = self._environment.hub.driver.error if self._environment is not None else ""
        return f"redis is away: {error}" if error else ""

    def _driver(self, clock: Callable[[], float]) -> Driver:
        def history(topic: str) -> HistoryConfig:
            return _CACHE if is_cached(topic) else self._topics.of(topic).history

        config = self._config
        reporting = [app.id for app in config.apps if app.webhooks]

        def holds(topic: str) -> bool:
            return any(is_channel_of(topic, app) for app in reporting)

        if config.driver == "memory":
            return MemoryDriver(history, clock, holds)
        section = config.config or self._effective.section("redis")
        try:
            from pyroadrunner.plugins.websocket.drivers.redis import RedisDriver

            redis = section if isinstance(section, RedisConfig) else RedisConfig()
            return RedisDriver(redis, config.prefix, history, lease=config.presence_ttl, holds=holds)
        except ModuleNotFoundError as missing:
            raise NotInstalled(missing.name or "?", "redis") from missing
        except StoreError as error:
            raise RedisNotUsable(error) from error

    def _pusher_apps(self, hub: Hub, clock: Callable[[], float]) -> list[PusherApp]:
        """The applications."""
        opened = self._webhooks
        apps = [PusherApp(app, hub, clock, opened.of(app) if opened is not None else None) for app in self._config.apps]

        def departed(topic: str, left: Left) -> None:
            for app in apps:
                app.departed(topic, left)

        def entrance(topic: str, member: Member, entered: Entered) -> None:
            for app in apps:
                app.entrance(topic, member, entered)

        hub.driver.on_departed, hub.driver.on_entrance = departed, entrance
        return apps

    def _class_of(self, topic: str) -> Label:
        return class_of(topic) or ("", self._topics.name_of(topic))

    def _clients(self, environment: Environment) -> Iterator[Clients]:
        """Those of each application."""
        sessions = environment.sessions.values()
        yield Clients(
            app="",
            counters=environment.counters,
            open=len(sessions),
            dropped=sum(one.dropped for one in sessions),
            buffered=sum(one.buffered for one in sessions),
        )
        for app in self._apps:
            clients = app.clients.values()
            yield Clients(
                app=app.config.id,
                counters=app.counters,
                open=len(clients),
                dropped=sum(one.dropped for one in clients),
                buffered=sum(one.buffered for one in clients),
            )

    def _drain(self) -> None:
        if self._draining is None and self._sessions is not None:
            closing: list[Callable[[], None]] = [client.restart for client in self._pusher_clients()]
            if self._pusher is not None:
                self._pusher.draining = True
            if self._sse is not None:
                self._sse.drain()
            endure = self._effective.section("endure")
            grace: float = getattr(endure, "grace_period", _GRACE)
            work = self._sessions.drain(min(self._config.drain_timeout, _DRAIN_SHARE * grace), closing)
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
            for app in self._apps:
                app.tick()
            if self._sse is not None:
                self._sse.tick(now)


async def _idle(turns: Turns, seconds: float) -> None:
    idle = asyncio.Event()
    turns.on_idle = idle.set
    await asyncio.sleep(0)  # connections that were cut have just closed
    if not turns.idle:
        await asyncio.wait([asyncio.ensure_future(idle.wait())], timeout=seconds)
