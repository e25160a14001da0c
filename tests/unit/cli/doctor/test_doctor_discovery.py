"""What ``rr doctor`` says of ``discovery``."""

from __future__ import annotations

from typing import Any

from pyroadrunner.cli.doctor import discovery, endpoints, extras, remote_servers
from pyroadrunner.cli.doctor.finding import Finding, Verdict, ok, warn

ANNOUNCE = ["http", "https", "grpc", "tcp", "websocket", "metrics"]


def inspect(registry: dict[str, Any], **sections: Any) -> list[Finding]:
    config = {"discovery": {"registry": registry, "announce": ANNOUNCE}, **sections}
    return list(discovery.inspect(config, endpoints.addresses(config)))


def test_addresses_that_no_other_machine_reaches_are_named() -> None:
    found = inspect(
        {"driver": "consul"},
        http={"address": ":8080"},
        metrics={"address": "127.0.0.1:2112"},
        rpc={"listen": "tcp://127.0.0.1:6001"},
        tcp={"servers": {"smtp": {"addr": "0.0.0.0:25"}}},
    )
    assert found == [
        warn(
            "discovery",
            "metrics.address",
            "not announced: 127.0.0.1:2112 is on loopback, which no other machine reaches",
            "listen on an address of the network, or name that of the proxy in discovery.addresses",
        ),
        ok("discovery", "discovery.announce", "announces http, tcp"),
    ]


def test_a_server_without_addresses_is_a_warning() -> None:
    [found] = inspect({"driver": "etcd"})
    assert (found.verdict, found.found) == (Verdict.WARN, "there is no address to announce")


def test_a_registry_that_is_only_read_announces_nothing() -> None:
    assert inspect({"driver": "file"}) == []
    assert list(discovery.inspect({}, iter(()))) == []


def test_the_registry_is_a_server_and_needs_its_client_library() -> None:
    consul = {"discovery": {"registry": {"driver": "consul", "address": "http://127.0.0.1:8500"}}}
    etcd = {"discovery": {"registry": {"driver": "etcd", "addresses": ["http://a:2379", "https://b"]}}}
    assert list(remote_servers.brokers(consul)) == [("discovery.registry.address", "127.0.0.1", 8500)]
    assert list(remote_servers.brokers(etcd)) == [
        ("discovery.registry.addresses", "a", 2379),
        ("discovery.registry.addresses", "b", 443),
    ]
    assert [(need.modules, need.extra) for need in extras.needs(consul, experimental=False)] == [
        (("aiohttp",), "discovery")
    ]
    assert list(extras.needs({"discovery": {"registry": {"driver": "file"}}}, experimental=False)) == []
