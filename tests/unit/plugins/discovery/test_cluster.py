"""The list of servers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pyroadrunner.plugins.discovery.cluster import MAX_SERVERS, Cluster
from pyroadrunner.plugins.discovery.drivers.contract import RegistryError
from pyroadrunner.plugins.discovery.server import Server
from support.fake_registry import FakeRegistry
from support.log import logged
from support.virtual_time import in_virtual_time


@in_virtual_time
async def test_the_last_list_stays_while_the_registry_is_away() -> None:
    registry, now = FakeRegistry(), [5.0]
    seen: list[Sequence[Server]] = []
    cluster = Cluster(lambda: now[0], seen.append)
    assert cluster.age() is None
    registry.entries["1"] = Server(id="a", instance="1")
    await cluster.read(registry)
    registry.error = RegistryError("away")
    now[0] = 12.0
    with pytest.raises(RegistryError):
        await cluster.read(registry)
    assert [server.id for server in cluster.servers] == ["a"]
    assert cluster.age() == 7.0
    assert len(seen) == 1


@in_virtual_time
async def test_too_many_servers_are_left_out_and_said_once() -> None:
    registry = FakeRegistry()
    registry.entries = {str(number): Server(id=f"{number:06}") for number in range(MAX_SERVERS + 5)}
    cluster = Cluster(lambda: 0.0, lambda found: None)
    with logged("discovery") as log:
        await cluster.read(registry)
        await cluster.read(registry)
    assert len(cluster.servers) == MAX_SERVERS
    assert log.messages == ["registry has too many servers; the others are left out"]
