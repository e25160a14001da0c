"""What a registry knows of a server. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

PASSING, CRITICAL, UNKNOWN = "passing", "critical", "unknown"


class Endpoint(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An address of a server, for clients.

    Attributes:
        kind: ``http``, ``grpc``, ``metrics``, ...
        host: empty = the registry knows the address of the machine.
        name: of one of several of this kind.
        path: on an HTTP port.
    """

    kind: str
    host: str
    port: int
    name: str = ""
    path: str = ""

    @property
    def address(self) -> str:
        """``host:port``; an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Server(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An entry of a registry.

    Attributes:
        id: unique among the live servers of a cluster.
        instance: a random text of this start; tells two servers with the same id apart.
        version: of pyroadrunner; empty = unknown.
        started: Unix time; 0 = unknown.
        health: ``passing``, ``critical`` or ``unknown``.
        reason: why it is critical.
    """

    id: str
    instance: str = ""
    version: str = ""
    started: float = 0.0
    health: str = UNKNOWN
    reason: str = ""
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)
    endpoints: Sequence[Endpoint] = ()

    def endpoint(self, kind: str) -> Endpoint | None:
        """Its first address of this kind."""
        return next((one for one in self.endpoints if one.kind == kind), None)


def newest(found: Iterable[Server]) -> list[Server]:
    """One entry per id, in the order of the ids: while a new process takes over, its predecessor is listed, too."""
    servers: dict[str, Server] = {}
    for server in found:
        other = servers.get(server.id)
        if other is None or (other.started, other.instance) < (server.started, server.instance):
            servers[server.id] = server
    return [servers[name] for name in sorted(servers)]


def rival(own: Server, found: Iterable[Server]) -> Server | None:
    """Another live server with the same id."""
    return next((one for one in found if one.id == own.id and one.instance != own.instance), None)


def precedes(one: Server, other: Server) -> bool:
    """Whether ``one`` keeps the id if both have registered at the same time."""
    return (one.started, one.instance) < (other.started, other.instance)
