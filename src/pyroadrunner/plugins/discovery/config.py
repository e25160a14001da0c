"""The ``discovery`` section.

The models of the registries are those of the installed drivers, so a driver of another package is checked, and
described by the JSON Schema, like those of this one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Union, cast

import msgspec
from msgspec import Meta, field

from pyroadrunner.config.values import StringList, StringMap
from pyroadrunner.net.address import InvalidAddress, TcpAddress, parse_address
from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo, RegistryConfig
from pyroadrunner.plugins.discovery.installed import installed_drivers

_MOST_METADATA = 50  # pairs: Consul takes 64, of which we use some
_LONGEST_METADATA = 512
_SHORTEST_SECRET = 16
KINDS = ("http", "https", "grpc", "tcp", "websocket", "metrics", "status", "rpc")
_ANNOUNCED = ["http", "https", "grpc", "tcp", "websocket", "metrics"]


def registry_model(name: str, info: DriverInfo) -> type[RegistryConfig]:
    """The model of ``discovery.registry`` with a driver."""
    made = msgspec.defstruct(
        f"{name.capitalize()}Registry",
        [],
        bases=(info.config,),
        namespace={"__doc__": info.config.__doc__},
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
        tag_field="driver",
        tag=name,
    )
    return cast("type[RegistryConfig]", made)


MODELS = {name: registry_model(name, info) for name, info in installed_drivers().items()}
if TYPE_CHECKING:
    AnyRegistry = RegistryConfig
else:
    AnyRegistry = Union[tuple(MODELS.values())]  # noqa: UP007 - made at run time


class DiscoveryConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``discovery``: announces this server in a registry, and knows the other servers (not in RoadRunner)."""

    registry: AnyRegistry
    """Where servers are announced and found, by its `driver`."""
    name: Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = "pyroadrunner"
    """Name of the cluster: servers with the same name and registry know each other. In Consul, the name of the
    service."""
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Name of this server, unique in the cluster; empty = the host name."""
    host: str = ""
    """Host name or IP address by which other machines reach this one; for addresses on all interfaces. Empty = the
    address that Consul's agent has, or that this machine uses towards etcd. A loopback address: all servers are on this
    machine, and addresses on loopback are announced, too."""
    announce: StringList = field(default_factory=lambda: list(_ANNOUNCED))
    """Kinds of addresses to announce: `http`, `https`, `grpc`, `tcp`, `websocket`, `metrics`, `status`, `rpc`. Every
    client that reaches an RPC address controls the server, so it is not announced by default."""
    addresses: StringMap = field(default_factory=dict)
    """`host:port` by kind, in place of the address in use: behind a proxy or in a container."""
    ttl: Annotated[float, Meta(ge=2.0, le=86400.0, extra={"rr": "duration"})] = 15.0
    """A server that was killed is gone after this time. A live one renews its entry three times as often."""
    refresh: Annotated[float, Meta(ge=0.2, le=3600.0, extra={"rr": "duration"})] = 5.0
    """How often the other servers are read, and commands for all servers, these at least every 10 seconds."""
    timeout: Annotated[float, Meta(ge=0.1, le=60.0, extra={"rr": "duration"})] = 5.0
    """Time limit for one request to the registry."""
    tags: StringList = field(default_factory=list)
    """Tags of this server."""
    metadata: StringMap = field(default_factory=dict)
    """Names and values that describe this server."""
    secret: str = ""
    """The same on all servers: signs `rr cluster reset` and `rr cluster reload`, which go through the registry. Empty =
    the servers take no such commands."""

    def __post_init__(self) -> None:
        if not isinstance(self.registry, RegistryConfig):  # of an unknown driver, which the reader leaves out
            raise ValueError(f"registry.driver is one of {', '.join(MODELS)}")

    @property
    def server_id(self) -> str:
        """The id of this server."""
        return self.id or socket.gethostname()

    def faults(self) -> Iterable[tuple[str, str]]:
        for number, kind in enumerate(self.announce):
            if kind not in KINDS:
                yield f"announce.{number}", f'"{kind}" is no kind of address; there are {", ".join(KINDS)}'
        for kind, text in self.addresses.items():
            if kind not in KINDS:
                yield f"addresses.{kind}", f"is no kind of address; there are {', '.join(KINDS)}"
            elif not _is_address(text):
                yield f"addresses.{kind}", f'"{text}" is not an address: write host:port'
        if len(self.metadata) > _MOST_METADATA:
            yield "metadata", f"has more than {_MOST_METADATA} names"
        for key, text in self.metadata.items():
            if not key or len(key) > 100 or not all(one.isascii() and (one.isalnum() or one in "_-") for one in key):
                yield f"metadata.{key}", "a name has letters, digits, - and _ only"
            elif key.startswith("rr_"):
                yield f"metadata.{key}", "names with rr_ are reserved"
            elif len(text) > _LONGEST_METADATA:
                yield f"metadata.{key}", f"is longer than {_LONGEST_METADATA} characters"
        if self.secret and len(self.secret) < _SHORTEST_SECRET:
            yield "secret", f"is shorter than {_SHORTEST_SECRET} characters; write one with: openssl rand -hex 32"
        if ":" in self.host.replace("::", "", 1) and "." in self.host:
            yield "host", "is a host name or an IP address without a port"
        if "/" in self.host or " " in self.host:
            yield "host", f'"{self.host}" is neither a host name nor an IP address'

    def warnings(self) -> Iterable[tuple[str, str]]:
        if "rpc" in self.announce:
            yield "announce", "announces rpc: every client that reaches this address controls the server"


def _is_address(text: str) -> bool:
    try:
        address: Any = parse_address(text, default_scheme="tcp")
    except InvalidAddress:
        return False
    return isinstance(address, TcpAddress) and bool(address.host) and address.port > 0


def driver_of(registry: RegistryConfig) -> str:
    """Name of the driver."""
    return str(type(registry).__struct_config__.tag)
