"""The contract of a driver: one registry. Stable for packages outside this one.

A package adds a driver with an entry point:

    [project.entry-points."pyroadrunner.discovery_drivers"]
    myregistry = "my_package.config:DRIVER"    # a DriverInfo; its module must not import the client library

**Theory of operation.** The plugin owns the driver, calls one method at a time per task, and bounds each call with a
timeout: a driver may be cancelled at any await, and the next call must work all the same. It never retries and never
logs: the plugin does both, with one policy for all drivers.

A driver that can only be read implements :class:`Registry`. One that announces servers implements :class:`Registrar`:

    register(server) -> keep(server) -> keep(server) -> ... -> withdraw()

The entry of a server ends by itself ``ttl`` seconds after the last ``register`` or ``keep``: that is what removes a
server that was killed. ``keep`` returns ``False`` when the registry has forgotten the entry; then it is registered
again.

Entries belong to instances, not to ids: two servers with the same id have two entries, and the plugin decides which of
them goes.

*Errors.* A driver raises :class:`RegistryError` with a text for operators. A setting that can't work (a wrong token) is
:class:`RegistryRefused`: the next attempt then comes later.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import msgspec

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.discovery.server import CRITICAL, PASSING, UNKNOWN, Endpoint, Server


class RegistryError(RoadRunnerError):
    """The registry did not do it, or is not reachable; a later try may succeed."""


class RegistryRefused(RegistryError):
    """The registry refuses the settings; trying again only helps after a change of the settings or of the registry."""


class RegistryConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What the settings of every driver inherit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that do not depend on the driver.

    Attributes:
        name: of the cluster.
        ttl: seconds after which an entry ends by itself.
        timeout: seconds for one request to the registry.
    """

    name: str
    ttl: float
    timeout: float


class Registry(Protocol):
    """A registry that can be read."""

    @abstractmethod
    async def servers(self) -> Sequence[Server]:
        """The live servers of the cluster, in any order."""

    @abstractmethod
    async def close(self) -> None:
        """Release all resources. Idempotent; must not fail."""


class Registrar(Registry, Protocol):
    """A registry that announces servers, and keeps small values for commands."""

    @abstractmethod
    async def register(self, server: Server) -> None:
        """Create the entry of this instance, or replace it."""

    @abstractmethod
    async def keep(self, server: Server) -> bool:
        """Renew the entry, with the current health; ``False`` = there is no such entry."""

    @abstractmethod
    async def withdraw(self) -> None:
        """Remove the entry of this instance. Idempotent."""

    @abstractmethod
    async def put(self, key: str, value: bytes) -> None:
        """Store a value of the cluster. It may end by itself, at the earliest after a minute."""

    @abstractmethod
    async def values(self, prefix: str) -> Mapping[str, bytes]:
        """The values whose keys begin with ``prefix``."""

    @abstractmethod
    async def delete(self, prefix: str) -> None:
        """Delete these values."""


class MakeDriver(Protocol):
    """Makes a driver without I/O."""

    def __call__(self, config: Any, settings: Settings) -> Registry: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverInfo:
    """What the plugin must know of a driver before it is imported; the object behind the entry point.

    Attributes:
        config: model of ``discovery.registry``; inherits :class:`RegistryConfig`.
        make: ``module:Class``, called with the config and the :class:`Settings`.
        announces: whether the driver is a :class:`Registrar`.
        modules: of the client library, for ``rr doctor``.
        extra: the extra of ``pyroadrunner`` that installs them; empty for a driver of another package.
    """

    config: type[RegistryConfig]
    make: str
    announces: bool
    modules: tuple[str, ...] = ()
    extra: str = ""

    def load(self) -> MakeDriver:
        """Import the driver.

        Raises:
            ModuleNotFoundError: its client library is not installed.
        """
        module, _, name = self.make.partition(":")
        make: MakeDriver = getattr(import_module(module), name)
        return make


__all__ = [
    "CRITICAL",
    "PASSING",
    "UNKNOWN",
    "DriverInfo",
    "Endpoint",
    "MakeDriver",
    "Registrar",
    "Registry",
    "RegistryConfig",
    "RegistryError",
    "RegistryRefused",
    "Server",
    "Settings",
]
