"""Lifecycle of the ``discovery`` plugin."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, cast

from pyroadrunner.contracts import (
    HasAddresses,
    HasConnections,
    HasMetrics,
    HasMonitoringPages,
    HasRpc,
    HasStatus,
    HasStatusMessage,
    HasTask,
    MetricFamily,
    MonitoringPage,
    Plugin,
    RpcMethod,
)
from pyroadrunner.net import takeover
from pyroadrunner.plugins.discovery.announcement import announcement
from pyroadrunner.plugins.discovery.cluster import Cluster
from pyroadrunner.plugins.discovery.commands import Actions, Commands, NoCommands
from pyroadrunner.plugins.discovery.config import DiscoveryConfig, driver_of
from pyroadrunner.plugins.discovery.drivers.contract import Registrar, Registry, Settings
from pyroadrunner.plugins.discovery.errors import NotInstalled
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.health import health_of
from pyroadrunner.plugins.discovery.installed import installed_drivers
from pyroadrunner.plugins.discovery.metrics import families
from pyroadrunner.plugins.discovery.registration import Registration
from pyroadrunner.plugins.discovery.rpc import methods
from pyroadrunner.plugins.discovery.server import Server
from pyroadrunner.plugins.discovery.signing import Inbox, Signer
from pyroadrunner.plugins.discovery.standing import Standing, State, log
from pyroadrunner.plugins.discovery.targets import target_group
from pyroadrunner.plugins.discovery.tasks import Task
from pyroadrunner.version import __version__

_RENEWALS = 3  # in one `ttl`
_REGISTRATION, _SERVERS, _COMMANDS = "registration", "servers", "commands"
_SUCCESSOR_TIMEOUT = 5.0  # seconds for another process to register
_CLOSE_TIMEOUT = 2.0  # seconds: a registry that does not answer must not hold up a stop

_LONGEST_REFRESH = 10.0  # seconds between two looks for commands, which are valid for a minute
_SD = "/sd"
_GROUPS_AT_ONCE = 200


class DiscoveryPlugin(
    Plugin, HasTask, HasRpc, HasMetrics, HasStatus, HasStatusMessage, HasMonitoringPages, HasConnections
):
    """The ``discovery`` section. It starts last, when all addresses are served, and stops first: clients are sent
    elsewhere before the others stop."""

    name = "discovery"
    weight = -1000

    def __init__(
        self,
        config: DiscoveryConfig,
        listeners: Sequence[HasAddresses],
        checks: Sequence[HasStatus],
        services: Sequence[HasRpc],
    ) -> None:
        self._config = config
        self._listeners = listeners
        self._checks = checks
        self._driver = driver_of(config.registry)
        self._info = installed_drivers()[self._driver]
        self._id = config.server_id
        self._instance = secrets.token_hex(4)
        self._started = time.time()
        self._figures = Figures()
        self._actions = Actions(services)
        goal = State.REGISTERED if self._info.announces else State.CONNECTED
        parts = [_REGISTRATION, _SERVERS] if self._info.announces else [_SERVERS]
        names = {"registry": self._driver, "cluster": config.name, "id": self._id}
        self._standing = Standing(names, parts, goal)
        self._registry: Registry | None = None
        self._registration: Registration | None = None
        self._cluster: Cluster | None = None
        self._commands: Commands | NoCommands = NoCommands("the server is starting")
        self._tasks: list[asyncio.Task[None]] = []
        self._said: Mapping[str, str] = {}
        self._successor = False  # of another process; or
        self._succeeded = False  # by one
        self._stopping = False

    def __repr__(self) -> str:
        return f"DiscoveryPlugin({self._driver}, {self._id!r}, {self._standing!r})"

    async def start(self) -> None:
        """Check that the client library is installed. The driver is imported by :meth:`run`, since that takes a tenth
        of a second, and the registry is not asked.

        Raises:
            NotInstalled
        """
        for module in self._info.modules:
            if find_spec(module) is None:
                raise NotInstalled(self._driver, module, self._info.extra)
        self._cluster = Cluster(asyncio.get_running_loop().time, self._seen)
        self._successor = takeover.taking_over()

    async def run(self) -> None:
        """Keep the registration and the list of servers up to date.

        Raises:
            NotInstalled: the client library is incomplete.
        """
        config, cluster = self._config, self._cluster
        assert cluster is not None
        try:
            make = await asyncio.to_thread(self._info.load)
        except ModuleNotFoundError as missing:
            raise NotInstalled(self._driver, missing.name or "?", self._info.extra) from missing
        if self._stopping:
            return
        registry = make(config.registry, Settings(name=config.name, ttl=config.ttl, timeout=config.timeout))
        self._registry = registry
        self._commands = self._make_commands()
        if self._info.announces:
            registrar = cast("Registrar", registry)
            self._registration = Registration(registrar, self._describe, successor=self._successor)
            self._repeat(_REGISTRATION, self._registration.step, config.ttl / _RENEWALS)
        self._repeat(_SERVERS, partial(cluster.read, registry), config.refresh)
        if isinstance(self._commands, Commands):
            self._repeat(_COMMANDS, self._commands.step, min(config.refresh, _LONGEST_REFRESH))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self, grace: float) -> None:
        """Deregister; a registry that does not answer is not waited for."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._commands.stop()
        if self._registration is not None:
            if self._succeeded:
                await self._registration.wait_for_successor(min(grace, _SUCCESSOR_TIMEOUT))
            await self._registration.withdraw(min(grace, self._config.timeout, _CLOSE_TIMEOUT))
        if self._registry is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._registry.close()
            except Exception as error:  # a bug of a driver: the others must stop nevertheless
                log.error("registry could not be closed", error=repr(error))

    def close_after_response(self) -> None:
        """Another process has taken over: it registers before this one withdraws."""
        self._succeeded = True

    async def healthy(self) -> bool:
        """Always: a registry that is away must take no server out of service."""
        return True

    async def ready(self) -> bool:
        """Always."""
        return True

    def status_message(self) -> str:
        return self._standing.message()

    def monitoring_pages(self) -> Mapping[str, Callable[[Mapping[str, Sequence[str]]], Awaitable[MonitoringPage]]]:
        return {_SD: self._sd}

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        assert self._cluster is not None
        return methods(self._cluster, lambda: self._commands, self._facts)

    async def metrics(self) -> Sequence[MetricFamily]:
        if self._cluster is None:
            return []
        registered = self._registration is not None and self._registration.registered
        return families(self._figures, self._cluster, registered=registered)

    # inside

    @property
    def _takes_commands(self) -> bool:
        return self._info.announces and bool(self._config.secret)

    def _repeat(self, part: str, step: Callable[[], Any], interval: float) -> None:
        task = Task(part, step, interval, self._config.timeout, self._standing, self._figures)
        self._tasks.append(asyncio.create_task(task.run(), name=f"discovery {part}"))

    def _make_commands(self) -> Commands | NoCommands:
        config = self._config
        if self._takes_commands:
            self._standing.add(_COMMANDS)
            signer = Signer(config.secret, config.name)
            return Commands(
                cast("Registrar", self._registry),
                signer,
                Inbox(signer, self._started),
                self._actions,
                self._figures,
                id=self._id,
                instance=self._instance,
                wall=time.time,
            )
        if not self._info.announces:
            return NoCommands(f"the registry {self._driver} is only read, so it carries no commands")
        return NoCommands("the servers take no commands: set the same discovery.secret on all of them")

    async def _describe(self) -> Server:
        """The entry of this server, as of now."""
        config = self._config
        served = [one for plugin in self._listeners for one in plugin.addresses()]
        announced = announcement(served, config.announce, config.host, config.addresses)
        if announced.left_out != self._said:
            self._said = announced.left_out
            for key, why in announced.left_out.items():
                log.info("address is not announced", key=key, reason=why)
        health, reason = await health_of(self._checks)
        return Server(
            id=self._id,
            instance=self._instance,
            version=__version__,
            started=self._started,
            health=health,
            reason=reason,
            tags=config.tags,
            metadata=config.metadata,
            endpoints=announced.endpoints,
        )

    def _seen(self, servers: Sequence[Server]) -> None:
        if self._registration is not None:
            self._registration.seen(servers)

    async def _sd(self, query: Mapping[str, Sequence[str]]) -> MonitoringPage:
        """Prometheus keeps its last list while this is not 200."""
        if self._cluster is None or self._cluster.read_at is None:
            text = f"the registry was not read yet: {self._standing.message()}\n"
            return MonitoringPage(status=503, body=text.encode(), content_type="text/plain; charset=utf-8")
        kind = (query.get("kind") or ["metrics"])[-1]
        groups: list[bytes] = []
        for number, server in enumerate(self._cluster.servers, 1):
            groups += target_group(server, kind)
            if number % _GROUPS_AT_ONCE == 0:
                await asyncio.sleep(0)  # requests are served meanwhile
        return MonitoringPage(status=200, body=b"[%b]" % b",".join(groups))

    def _facts(self) -> dict[str, Any]:
        return {
            "name": self._config.name,
            "id": self._id,
            "registry": self._driver,
            "state": self._standing.state.value,
            "error": self._standing.error,
            "commands": self._takes_commands,
        }
