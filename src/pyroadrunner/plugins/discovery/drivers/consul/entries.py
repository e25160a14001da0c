"""Between servers and Consul's JSON. Pure. Field names are Consul's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pyroadrunner.plugins.discovery.drivers.contract import CRITICAL, PASSING, Endpoint, Server

_OURS = "rr_"  # of keys in the metadata
_NODE = "serfHealth"  # Consul's own check of a machine; when it is dead, no TTL check of it ends any more
_ALIVE, _HEALTH = ":alive", ":health"  # ends of the ids of our checks
HEALTH_TTL = 86_400  # seconds: the health is sent when it changes; that a server is dead, the other check says
_NO_ADDRESS = "server"  # kind of the only instance of a server without addresses
_LONGEST = 512  # characters of a value of the metadata: Consul refuses longer ones


class Node(msgspec.Struct, kw_only=True):
    """The machine."""

    Node: str = ""
    Address: str = ""


class Service(msgspec.Struct, kw_only=True):
    """A service instance."""

    ID: str
    Address: str = ""
    Port: int = 0
    Tags: list[str] | None = None
    Meta: dict[str, str] | None = None


class Check(msgspec.Struct, kw_only=True):
    """A health check."""

    CheckID: str = ""
    Status: str = ""
    Output: str = ""


class Entry(msgspec.Struct, kw_only=True):
    """One item of ``/v1/health/service/NAME``."""

    Node: Node
    Service: Service
    Checks: list[Check] | None = None


class Value(msgspec.Struct, kw_only=True):
    """One item of ``/v1/kv``."""

    Key: str
    Value: str | None = None


def alive_update(service: str) -> tuple[str, dict[str, str]]:
    """Id and body of the update that says that the server lives."""
    return f"{service}{_ALIVE}", {"Status": PASSING, "Output": "alive"}


def health_update(service: str, server: Server) -> tuple[str, dict[str, str]]:
    """Id and body of the update that says how the server is."""
    return f"{service}{_HEALTH}", _state(server)


def _state(server: Server) -> dict[str, str]:
    ill = server.health == CRITICAL
    return {"Status": CRITICAL if ill else PASSING, "Output": server.reason if ill else "serving"}


def bodies(server: Server, name: str, ttl: float, deregister_after: float) -> list[dict[str, Any]]:
    """The registrations of a server: one for each address."""
    endpoints = server.endpoints or [Endpoint(kind=_NO_ADDRESS, host="", port=0)]
    return [_body(server, one, number, name, ttl, deregister_after) for number, one in enumerate(endpoints)]


def _body(
    server: Server, endpoint: Endpoint, number: int, name: str, ttl: float, deregister_after: float
) -> dict[str, Any]:
    own = {
        "id": server.id,
        "instance": server.instance,
        "version": server.version,
        "started": f"{server.started:.3f}",
        "kind": endpoint.kind,
        "name": endpoint.name,
        "path": endpoint.path,
        "reason": server.reason,
    }
    service = f"{name}-{server.id}-{number:02}-{endpoint.kind}-{server.instance}"
    return {
        "ID": service,
        "Name": name,
        "Tags": [endpoint.kind, *server.tags],
        "Address": endpoint.host,
        "Port": endpoint.port,
        "Meta": {**server.metadata, **{_OURS + key: text[:_LONGEST] for key, text in own.items() if text}},
        "Checks": [
            {
                "CheckID": f"{service}{_ALIVE}",
                "Name": f"{name} {server.id} is alive",
                "TTL": f"{ttl:g}s",
                "Status": PASSING,
                "DeregisterCriticalServiceAfter": f"{deregister_after:g}s",
            },
            {
                "CheckID": f"{service}{_HEALTH}",
                "Name": f"{name} {server.id} is healthy",
                "TTL": f"{HEALTH_TTL}s",
                "Status": _state(server)["Status"],
            },
        ],
    }


def dead(entry: Entry) -> bool:
    """Whether its server has stopped to say that it lives, or its machine has."""
    return any(
        check.Status == CRITICAL and (check.CheckID == _NODE or check.CheckID.endswith(_ALIVE))
        for check in entry.Checks or ()
    )


class Listing:
    """Sorts service instances by their servers. Those of the same name that are none of ours are left out.

    Attributes:
        dead: node and id of the instances of dead servers.
    """

    def __init__(self) -> None:
        self.dead: list[tuple[str, str]] = []
        self._alive: dict[str, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Add an instance."""
        instance = _own(entry).get("instance")
        if instance and dead(entry):
            self.dead.append((entry.Node.Node, entry.Service.ID))
        elif instance:
            self._alive.setdefault(instance, []).append(entry)

    def servers(self) -> Iterator[Server]:
        """The live servers, made one by one."""
        return map(_server, self._alive.values())


def _server(entries: list[Entry]) -> Server:
    entries = sorted(entries, key=lambda entry: entry.Service.ID)
    own, meta = _own(entries[0]), entries[0].Service.Meta or {}
    bad = [check for entry in entries for check in entry.Checks or () if check.Status == CRITICAL]
    return Server(
        id=own.get("id", ""),
        instance=own.get("instance", ""),
        version=own.get("version", ""),
        started=_number(own.get("started", "")),
        health=CRITICAL if bad else PASSING,
        reason=(bad[0].Output or own.get("reason", "")) if bad else "",
        tags=(entries[0].Service.Tags or [])[1:],
        metadata={key: text for key, text in meta.items() if not key.startswith(_OURS)},
        endpoints=[_endpoint(entry) for entry in entries if _own(entry).get("kind") != _NO_ADDRESS],
    )


def _endpoint(entry: Entry) -> Endpoint:
    own, service = _own(entry), entry.Service
    return Endpoint(
        kind=own.get("kind", ""),
        host=service.Address or entry.Node.Address,
        port=service.Port,
        name=own.get("name", ""),
        path=own.get("path", ""),
    )


def _own(entry: Entry) -> Mapping[str, str]:
    meta = entry.Service.Meta or {}
    return {key.removeprefix(_OURS): text for key, text in meta.items() if key.startswith(_OURS)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
