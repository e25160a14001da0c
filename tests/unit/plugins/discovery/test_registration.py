"""The entry of this server."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.plugins.discovery.drivers.contract import RegistryError
from pyroadrunner.plugins.discovery.registration import Registration
from pyroadrunner.plugins.discovery.server import Endpoint, Server
from pyroadrunner.plugins.discovery.tasks import IdTaken
from support.fake_registry import FakeRegistry
from support.log import logged
from support.virtual_time import in_virtual_time

OWN = Server(id="web", instance="own", started=10.0)


def other(started: float) -> Server:
    return Server(
        id="web", instance="other", started=started, endpoints=[Endpoint(kind="http", host="10.0.0.5", port=80)]
    )


def make(registry: FakeRegistry, *, successor: bool = False) -> Registration:
    async def describe() -> Server:
        return OWN

    return Registration(registry, describe, successor=successor)


@in_virtual_time
async def test_an_entry_is_created_kept_and_created_again_when_it_was_forgotten() -> None:
    registry = FakeRegistry()
    registration = make(registry)
    await registration.step()
    await registration.step()
    assert registry.calls == ["servers", "register", "keep"]
    registry.entries.clear()
    with logged("discovery") as log:
        await registration.step()
    assert registry.entries == {"own": OWN}
    assert log.messages == ["registry has forgotten the server, which registers again"]
    assert registration.registered


@in_virtual_time
async def test_a_newcomer_with_a_taken_id_is_not_registered_even_if_its_clock_is_late() -> None:
    registry = FakeRegistry()
    registry.entries["other"] = other(started=99.0)
    registration = make(registry)
    with pytest.raises(
        IdTaken, match=r"'web' belongs to another live server \(10.0.0.5:80, started 1970-01-01 00:01:39"
    ):
        await registration.step()
    assert "register" not in registry.calls
    registry.entries.clear()
    await registration.step()
    assert registration.registered


@in_virtual_time
async def test_of_two_that_register_in_one_moment_the_later_withdraws() -> None:
    registry = FakeRegistry()
    registration = make(registry)
    await registration.step()
    registry.entries["other"] = other(started=20.0)
    registration.seen(list(registry.entries.values()))
    await registration.step()
    assert registration.registered  # the other one is later
    registry.entries["other"] = other(started=5.0)
    registration.seen(list(registry.entries.values()))
    with pytest.raises(IdTaken):
        await registration.step()
    assert list(registry.entries) == ["other"]
    assert not registration.registered


@in_virtual_time
async def test_a_successor_registers_beside_its_predecessor() -> None:
    registry = FakeRegistry()
    registry.entries["other"] = other(started=5.0)
    registration = make(registry, successor=True)
    await registration.step()
    registration.seen(list(registry.entries.values()))
    await registration.step()
    assert sorted(registry.entries) == ["other", "own"]


@in_virtual_time
async def test_the_predecessor_waits_for_its_successor_but_not_for_ever() -> None:
    registry, loop = FakeRegistry(), asyncio.get_running_loop()
    registration = make(registry)
    await registration.step()
    before = loop.time()
    await registration.wait_for_successor(5.0)
    assert loop.time() - before == 5.0
    waiting = asyncio.create_task(registration.wait_for_successor(5.0))
    await asyncio.sleep(1.0)
    registry.entries["other"] = other(started=20.0)
    before = loop.time()
    await waiting
    assert loop.time() - before < 0.2
    registry.error = RegistryError("away")
    await registration.wait_for_successor(5.0)


@in_virtual_time
async def test_a_withdrawal_waits_for_no_registry() -> None:
    registry = FakeRegistry()
    registration = make(registry)
    await registration.withdraw(1.0)
    assert registry.calls == []  # it was never registered
    await registration.step()
    registry.hanging = True
    before = asyncio.get_running_loop().time()
    with logged("discovery") as log:
        await registration.withdraw(1.0)
    assert asyncio.get_running_loop().time() - before == 1.0
    assert log.messages == ["server could not be deregistered; its entry ends by itself"]
    registry.hanging, registry.error = False, RegistryError("away")
    await registration.withdraw(1.0)
