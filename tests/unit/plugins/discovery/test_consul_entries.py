"""Between servers and Consul's JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from pyroadrunner.plugins.discovery.drivers.consul.entries import Entry, Listing, bodies
from pyroadrunner.plugins.discovery.server import CRITICAL, PASSING, Endpoint, Server


def servers_of(found: list[Entry]) -> list[Server]:
    listing = Listing()
    for entry in found:
        listing.add(entry)
    return list(listing.servers())


ONE = Server(
    id="web-1",
    instance="abcd",
    version="1.0",
    started=12.5,
    health=PASSING,
    tags=["eu"],
    metadata={"zone": "a"},
    endpoints=[
        Endpoint(kind="http", host="", port=80),
        Endpoint(kind="tcp", host="10.0.0.9", port=7000, name="smtp"),
        Endpoint(kind="websocket", host="10.0.0.9", port=80, path="/ws"),
    ],
)


def entries(server: Server, **checks: dict[str, str]) -> list[Entry]:
    """What Consul says of a server.

    Args:
        checks: fields of the checks ``alive``, ``health`` and ``node``.
    """

    def entry(body: dict[str, Any]) -> dict[str, Any]:
        found = [{"CheckID": "serfHealth", "Status": PASSING, **checks.get("node", {})}]
        for check in body["Checks"]:
            what = check["CheckID"].rpartition(":")[2]
            found.append({"CheckID": check["CheckID"], "Status": check["Status"], **checks.get(what, {})})
        return {"Node": {"Node": "n1", "Address": "10.0.0.1"}, "Service": body, "Checks": found}

    return msgspec.convert([entry(body) for body in bodies(server, "shop", 15.0, 60.0)], list[Entry])


def test_a_server_is_read_as_it_was_written() -> None:
    [read] = servers_of(entries(ONE))
    host = [msgspec.structs.replace(ONE.endpoints[0], host="10.0.0.1"), *ONE.endpoints[1:]]
    assert read == msgspec.structs.replace(ONE, endpoints=host)


def test_a_registration() -> None:
    body = bodies(ONE, "shop", 15.0, 60.0)[0]
    assert (body["ID"], body["Name"], body["Tags"]) == ("shop-web-1-00-http-abcd", "shop", ["http", "eu"])
    assert body["Checks"] == [
        {
            "CheckID": "shop-web-1-00-http-abcd:alive",
            "Name": "shop web-1 is alive",
            "TTL": "15s",
            "Status": "passing",
            "DeregisterCriticalServiceAfter": "60s",
        },
        {
            "CheckID": "shop-web-1-00-http-abcd:health",
            "Name": "shop web-1 is healthy",
            "TTL": "86400s",
            "Status": "passing",
        },
    ]
    assert body["Meta"]["rr_id"] == "web-1"
    assert "rr_path" not in body["Meta"]


def test_a_server_without_addresses_is_registered_too() -> None:
    bare = msgspec.structs.replace(ONE, endpoints=[])
    assert servers_of(entries(bare)) == [bare]


def test_a_server_that_says_it_is_ill_is_listed_and_a_dead_one_is_not() -> None:
    ill = msgspec.structs.replace(ONE, health=CRITICAL, reason="not healthy: http")
    assert bodies(ill, "shop", 15.0, 60.0)[0]["Checks"][1]["Status"] == CRITICAL
    [read] = servers_of(entries(ill))  # Consul publishes the output of a new check only later
    assert (read.health, read.reason) == (CRITICAL, "not healthy: http")
    [read] = servers_of(entries(ONE, health={"Status": CRITICAL, "Output": "not healthy: grpc"}))
    assert (read.health, read.reason) == (CRITICAL, "not healthy: grpc")
    [read] = servers_of(entries(ill, health={"Status": PASSING, "Output": "serving"}))
    assert (read.health, read.reason) == (PASSING, "")
    for what in ("alive", "node"):
        listing = Listing()
        for entry in entries(ONE, **{what: {"Status": CRITICAL}}):
            listing.add(entry)
        assert list(listing.servers()) == []
        assert listing.dead[0] == ("n1", "shop-web-1-00-http-abcd")
        assert len(listing.dead) == 3


def test_services_of_others_with_the_same_name_are_left_out() -> None:
    dead = [{"CheckID": "serfHealth", "Status": "critical"}]
    foreign = {"Node": {}, "Service": {"ID": "x", "Meta": None}, "Checks": None}
    listing = Listing()
    for entry in msgspec.convert([foreign, {**foreign, "Checks": dead}], list[Entry]):
        listing.add(entry)
    assert list(listing.servers()) == []
    assert listing.dead == []
