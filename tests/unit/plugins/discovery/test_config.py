"""The section ``discovery``."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.discovery.config import DiscoveryConfig, driver_of

ETCD = {"driver": "etcd"}


def read(data: dict[str, Any]) -> tuple[DiscoveryConfig | None, list[str]]:
    reader = SectionReader(lambda path: Origin(kind="file", source=".rr.yaml"))
    found = reader.read(DiscoveryConfig, data, ("discovery",))
    return found if isinstance(found, DiscoveryConfig) else None, [
        f"{fault.path}: {fault.message}" for fault in (*reader.faults, *reader.warnings)
    ]


def test_the_driver_selects_the_settings() -> None:
    found, said = read({"registry": {"driver": "consul", "token": "x"}, "ttl": "30s"})
    assert said == []
    assert found is not None
    assert driver_of(found.registry) == "consul"
    assert (found.ttl, found.refresh, found.name) == (30.0, 5.0, "pyroadrunner")
    assert found.server_id


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "discovery.registry: is required"),
        ({"registry": {}}, "discovery.registry.driver: is required"),
        ({"registry": {"driver": "zookeeper"}}, "discovery: registry.driver is one of consul, dns, etcd, file"),
        ({"registry": {"driver": "file"}}, "discovery.registry.path: is required"),
        ({"registry": {"driver": "dns"}}, "discovery.registry.records: should not be empty"),
        ({"registry": {"driver": "etcd", "addresses": []}}, "discovery.registry.addresses: should not be empty"),
        ({"registry": {"driver": "etcd", "username": "u"}}, "discovery.registry.password: is missing"),
        ({"registry": {"driver": "etcd", "addresses": ["10.0.0.1:2379"]}}, "discovery.registry.addresses[0]: "),
        ({"registry": {"driver": "consul", "address": "http://u:p@h:1"}}, "discovery.registry.address: has a password"),
        ({"registry": {"driver": "consul", "address": "http://h/v1"}}, "has a path"),
        ({"registry": {"driver": "consul", "deregister_after": "30s"}}, "can't be less than 60"),
        ({"registry": ETCD, "name": "My Shop"}, "discovery.name: "),
        ({"registry": ETCD, "id": "a b"}, "discovery.id: "),
        ({"registry": ETCD, "ttl": "1s"}, "discovery.ttl: can't be less than 2"),
        ({"registry": ETCD, "secret": "short"}, "discovery.secret: is shorter than 16 characters"),
        ({"registry": ETCD, "announce": ["htpp"]}, 'discovery.announce[0]: "htpp" is no kind of address'),
        ({"registry": ETCD, "announce": ["rpc"]}, "discovery.announce: announces rpc: every client"),
        ({"registry": ETCD, "addresses": {"http": ":80"}}, "discovery.addresses.http: "),
        ({"registry": ETCD, "addresses": {"htpp": "a:80"}}, "discovery.addresses.htpp: "),
        ({"registry": ETCD, "metadata": {"rr_id": "x"}}, "discovery.metadata.rr_id: names with rr_ are reserved"),
        ({"registry": ETCD, "metadata": {"a b": "x"}}, "discovery.metadata.a b: "),
        ({"registry": ETCD, "metadata": {"a": "x" * 513}}, "discovery.metadata.a: is longer than 512"),
        ({"registry": ETCD, "host": "http://a"}, "discovery.host: "),
        ({"registry": {**ETCD, "tls": {"cert": "a.pem"}}}, "discovery.registry.tls.key: is missing"),
    ],
)
def test_faults_are_named(data: dict[str, Any], said: str) -> None:
    _, found = read(data)
    assert any(said in text for text in found), found
