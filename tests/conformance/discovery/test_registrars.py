"""The contract of the drivers that announce servers, on real registries and on the fake of the unit tests."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest
import uvloop

from pyroadrunner.plugins.discovery.drivers.consul.config import ConsulConfig
from pyroadrunner.plugins.discovery.drivers.consul.driver import ConsulRegistry
from pyroadrunner.plugins.discovery.drivers.contract import CRITICAL, PASSING, Endpoint, Registrar, Server, Settings
from pyroadrunner.plugins.discovery.drivers.etcd.config import EtcdConfig
from pyroadrunner.plugins.discovery.drivers.etcd.driver import EtcdRegistry
from support.brokers import Brokers
from support.consul import shared_consul
from support.etcd import shared_etcd
from support.fake_registry import FakeRegistry

TTL = 2.0
Scene = Callable[[Registrar, Registrar], Awaitable[None]]
Play = Callable[[Scene], None]


@pytest.fixture(params=["fake", "etcd", "consul"])
def play(request: pytest.FixtureRequest, brokers: Brokers) -> Play:
    """Plays a scene with two clients of one registry, in a cluster of its own."""
    settings = Settings(name=f"c{uuid.uuid4().hex}", ttl=TTL, timeout=10.0)

    def client() -> Registrar:
        if request.param == "etcd":
            address = f"http://127.0.0.1:{brokers.use('etcd', shared_etcd)['port']}"
            return EtcdRegistry(EtcdConfig(addresses=[address]), settings)
        address = f"http://127.0.0.1:{brokers.use('consul', shared_consul)['port']}"
        return ConsulRegistry(ConsulConfig(address=address), settings)

    def clients() -> tuple[Registrar, Registrar]:
        if request.param == "fake":
            one, other = FakeRegistry(), FakeRegistry()
            other.entries, other.stored = one.entries, one.stored
            return one, other
        return client(), client()

    async def played(scene: Scene) -> None:
        one, other = clients()
        try:
            await scene(one, other)
        finally:
            for registrar in (one, other):
                await registrar.withdraw()
                await registrar.close()

    return lambda scene: uvloop.run(played(scene))


def server(id: str, instance: str, **more: object) -> Server:  # noqa: A002
    entry = Server(
        id=id,
        instance=instance,
        version="1.0",
        started=1_796_035_432.5,
        health=PASSING,
        tags=["eu", "blue"],
        metadata={"zone": "a"},
        endpoints=[
            Endpoint(kind="http", host="10.0.0.5", port=80),
            Endpoint(kind="tcp", host="::1", port=25, name="smtp"),
            Endpoint(kind="websocket", host="10.0.0.5", port=80, path="/ws"),
        ],
    )
    return msgspec.structs.replace(entry, **more)


async def listed(registrar: Registrar) -> list[Server]:
    return sorted(await registrar.servers(), key=lambda one: one.instance)


async def until(registrar: Registrar, wanted: list[Server]) -> None:
    """Wait until these servers are listed; agents of Consul take a moment."""
    async with asyncio.timeout(30):
        while _comparable(await listed(registrar)) != _comparable(wanted):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)


def _comparable(servers: list[Server]) -> list[bytes]:
    return [msgspec.json.encode(one) for one in servers]


def test_a_registered_server_is_listed_as_it_was_described(play: Play) -> None:
    async def scene(one: Registrar, other: Registrar) -> None:
        assert await listed(other) == []
        mine, theirs = server("a", "1"), server("b", "2", endpoints=[], tags=[], metadata={})
        await one.register(mine)
        await other.register(theirs)
        for registrar in (one, other):
            await until(registrar, [mine, theirs])
        await one.withdraw()
        await one.withdraw()
        await until(other, [theirs])

    play(scene)


def test_two_instances_with_one_id_are_two_entries(play: Play) -> None:
    async def scene(one: Registrar, other: Registrar) -> None:
        entries = [server("a", "1"), server("a", "2")]
        await one.register(entries[0])
        await other.register(entries[1])
        await until(one, entries)
        await one.withdraw()
        await until(one, entries[1:])

    play(scene)


def test_a_renewal_carries_the_health_and_a_registration_replaces_the_entry(play: Play) -> None:
    async def scene(one: Registrar, other: Registrar) -> None:
        await one.register(server("a", "1"))
        ill = server("a", "1", health=CRITICAL, reason="not healthy: http")
        assert await one.keep(ill)
        await until(other, [ill])
        assert await one.keep(server("a", "1"))
        await until(other, [server("a", "1")])
        moved = server("a", "1", endpoints=[Endpoint(kind="http", host="10.0.0.6", port=80)])
        await one.register(moved)
        await until(other, [moved])

    play(scene)


def test_an_entry_that_is_not_there_can_not_be_renewed(play: Play) -> None:
    async def scene(one: Registrar, other: Registrar) -> None:
        assert not await one.keep(server("a", "1"))
        await one.register(server("a", "1"))
        await one.withdraw()
        assert not await one.keep(server("a", "1"))

    play(scene)


def test_values_belong_to_the_cluster(play: Play) -> None:
    async def scene(one: Registrar, other: Registrar) -> None:
        assert await one.values("commands/") == {}
        data = bytes(range(256))
        await one.put("commands/1", data)
        await one.put("commands/2", b"")
        await one.put("results/1/x", b"result")
        assert await other.values("commands/") == {"commands/1": data, "commands/2": b""}
        await other.put("commands/2", b"again")
        assert (await one.values("commands/2"))["commands/2"] == b"again"
        await one.delete("commands/1")
        await one.delete("results/1/")
        await one.delete("results/1/")
        assert await other.values("") == {"commands/2": b"again"}
        await one.delete("commands/")

    play(scene)


def test_a_server_that_does_not_renew_is_not_listed(play: Play, request: pytest.FixtureRequest) -> None:
    if "fake" in request.node.name:
        return  # it has no clock

    async def scene(one: Registrar, other: Registrar) -> None:
        await one.register(server("a", "1"))
        await until(other, [server("a", "1")])
        await until(other, [])

    play(scene)
