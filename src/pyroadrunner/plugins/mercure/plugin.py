"""Lifecycle of the ``mercure`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import (
    EffectiveConfig,
    HasCertificates,
    HasConnections,
    HasMetrics,
    HasRpc,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    HasTask,
    HttpMount,
    MetricFamily,
    MountsOnHttp,
    Plugin,
    PreparedReload,
    Reloadable,
    RpcMethod,
)
from pyroadrunner.httpd.own_port import OwnPort
from pyroadrunner.log import Log
from pyroadrunner.plugins.mercure.config import JwtConfig, MercureConfig
from pyroadrunner.plugins.mercure.errors import NoHttp, NotInstalled, StoreNotUsable
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.publication import Rules
from pyroadrunner.plugins.mercure.publisher import Publisher
from pyroadrunner.plugins.mercure.reloadable import RELOADABLE_KEYS
from pyroadrunner.plugins.mercure.selectors import Matcher
from pyroadrunner.plugins.mercure.stores.contract import Store
from pyroadrunner.plugins.mercure.stores.memory import MemoryStore
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig

_GIVEN_UP_GRACE = 10.0  # seconds for the first clients if the start is cancelled, which means that the server stops
_TICK = 1.0  # seconds between two looks at all streams

try:
    from pyroadrunner.plugins.mercure.endpoint import METADATA, Endpoint
    from pyroadrunner.plugins.mercure.keys import Keys, KeySet, StaticKey
    from pyroadrunner.plugins.mercure.metrics import families
    from pyroadrunner.plugins.mercure.rpc import MercureRpc
    from pyroadrunner.plugins.mercure.tokens import Verifier
except ModuleNotFoundError as missing:
    raise NotInstalled(missing.name or "?") from missing


log = Log("mercure")


class MercurePlugin(
    Plugin,
    HasTask,
    HasRpc,
    HasMetrics,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    HasConnections,
    HasCertificates,
    MountsOnHttp,
    Reloadable,
):
    """The ``mercure`` section: a Mercure hub on the HTTP port, or on a port of its own."""

    name = "mercure"
    weight = 10  # it is ready before the HTTP port accepts connections

    def __init__(self, config: MercureConfig, effective: EffectiveConfig) -> None:
        self._config = config
        self._effective = effective
        self._keys: list[Keys] = []
        self._hub: Hub | None = None
        self._publisher: Publisher | None = None
        self._endpoint: Endpoint | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._draining = False
        self._port: OwnPort | None = None

    def __repr__(self) -> str:
        return f"MercurePlugin({self._hub}, {self._endpoint})"

    @property
    def port(self) -> int:
        """Its own port, even if the config says 0; 0 = it has none."""
        return self._port.port if self._port is not None else 0

    async def start(self) -> None:
        """Open the store; accept connections on the own port, if there is one. Redis is connected to in the background.

        Raises:
            StoreNotUsable, BadKey, NotInstalled.
            NoHttp: no port is configured.
            ListenError, TlsError: the address can't be bound, or a certificate can't be used.
        """
        if not self._config.address:
            if self._effective.section("http") is None:
                raise NoHttp
            await self._start()
            return
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
        config = self._config
        loop = asyncio.get_running_loop()
        base = config.public_url or f"http://localhost{config.path}"
        matcher = Matcher(base, config.topic_selector_cache)
        self._keys, publishers, subscribers = await self._verifiers(config, matcher)
        store = self._store()
        hub = self._hub = Hub(store, matcher)
        try:
            await store.start(hub.deliver, hub.reset)
        except StoreError as error:
            raise StoreNotUsable(error) from error
        publisher = self._publisher = Publisher(Rules(config.path, config.max_topics), store)
        self._endpoint = Endpoint(config, hub, publisher, publishers, subscribers, loop.time)
        self._ticking = loop.create_task(self._tick(), name="mercure tick")

    async def stop(self, grace: float) -> None:
        """Close the store. The HTTP port has ended the streams."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        if self._port is not None:
            await self._port.stop(grace)
        if self._ticking is not None:
            self._ticking.cancel()
        _stop(self._keys)
        if self._endpoint is not None:
            try:
                async with asyncio.timeout(max(1.0, until - loop.time())):
                    await self._endpoint.close()
            except TimeoutError:
                pass  # Redis does not answer
        if self._hub is not None:
            await self._hub.store.stop()

    def on_stopping(self) -> None:
        """End the streams: the HTTP port waits for them."""
        self._drain()

    def close_after_response(self) -> None:
        """Another process has taken over the addresses: the clients connect to that."""
        self._drain()
        if self._port is not None:
            self._port.close_after_response()

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        if self._port is not None:
            await self._port.reload_certificates()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """Those of tokens, origins and limits, but not those of ports, paths and the store."""
        return RELOADABLE_KEYS

    async def prepare_reload(self, section: MercureConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Change keys, origins and limits; open streams stay as they are.

        Raises:
            BadKey: a key can't be used.
        """
        assert self._hub is not None
        keys, publishers, subscribers = await self._verifiers(section, self._hub.matcher)

        def apply() -> None:
            assert self._endpoint is not None
            assert self._publisher is not None
            self._config = section
            old, self._keys = self._keys, keys
            self._publisher.rules = Rules(section.path, section.max_topics)
            self._endpoint.reconfigure(section, publishers, subscribers)
            _stop(old)

        return PreparedReload(apply, lambda: _stop(keys))

    def http_mounts(self) -> Sequence[HttpMount]:
        """Its paths; none if it has a port of its own."""
        return () if self._config.address else self._mounts()

    def _mounts(self) -> Sequence[HttpMount]:
        assert self._endpoint is not None
        path = self._config.path
        return [
            HttpMount(path=one, app=self._endpoint)
            for one in (path, f"{path}/subscriptions", f"{path}/subscriptions/*", METADATA + path)
        ]

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        assert self._hub is not None
        assert self._publisher is not None
        assert self._endpoint is not None
        return MercureRpc(self._hub, self._publisher, self._endpoint.streams).methods()

    async def metrics(self) -> Sequence[MetricFamily]:
        if self._hub is None or self._publisher is None or self._endpoint is None:
            return []
        return families(self._hub, self._publisher, self._endpoint, self._config.store)

    async def healthy(self) -> bool:
        return True

    async def ready(self) -> bool:
        """Whether updates can be published."""
        return self._hub is not None and not self._hub.store.error and not self._draining

    def status_message(self) -> str:
        """Why nothing can be published."""
        error = self._hub.store.error if self._hub is not None else ""
        return f"the store {self._config.store} is away: {error}" if error else ""

    # -- private -----------------------------------------------------------------------------------------------------

    async def _verifiers(self, config: MercureConfig, matcher: Matcher) -> tuple[list[Keys], Verifier, Verifier]:
        """The keys, and what verifies the tokens of publishers and of subscribers with them."""
        used: list[Keys] = []

        async def verifier(role: str, jwt: JwtConfig, url: str) -> Verifier:
            keys: Keys | None = None
            if url:
                keys = KeySet(url, f"{role}_jwks_url")
            elif jwt.key:
                keys = StaticKey(jwt.key, jwt.alg, f"{role}_jwt")
            made = Verifier(keys, matcher, config.issuer, config.resource_identifier or config.public_url)
            if keys is not None:
                used.append(keys)
                await keys.start()
            return made

        try:
            publishers = await verifier("publisher", config.publisher_jwt, config.publisher_jwks_url)
            subscribers = await verifier("subscriber", config.subscriber_jwt, config.subscriber_jwks_url)
        except BaseException:
            _stop(used)
            raise
        return used, publishers, subscribers

    def _store(self) -> Store:
        config, history = self._config, self._config.history
        if config.store == "memory":
            return MemoryStore(history.size, history.max_memory << 20)
        if config.store == "sqlite":
            from pyroadrunner.plugins.mercure.stores.sqlite import SqliteStore

            return SqliteStore(config.sqlite, history.size)
        section = config.config or self._effective.section("redis")
        try:
            from pyroadrunner.plugins.mercure.stores.redis import RedisStore

            redis = section if isinstance(section, RedisConfig) else RedisConfig()
            return RedisStore(redis, config.prefix, history.size)
        except ModuleNotFoundError as missing:
            raise NotInstalled(missing.name or "?", "redis") from missing
        except StoreError as error:
            raise StoreNotUsable(error) from error

    def _drain(self) -> None:
        if not self._draining and self._endpoint is not None:
            self._draining = True
            self._endpoint.drain()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            if self._endpoint is not None:
                self._endpoint.tick(loop.time())


def _stop(keys: Sequence[Keys]) -> None:
    for one in keys:
        one.stop()
