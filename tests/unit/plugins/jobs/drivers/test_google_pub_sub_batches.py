"""Calls for several messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.batches import Batches


def test_ids_that_come_together_go_together() -> None:
    calls: list[Sequence[str]] = []

    async def send(ack_ids: Sequence[str]) -> None:
        calls.append(ack_ids)

    async def scene() -> None:
        batches = Batches(send)
        await asyncio.gather(*[batches.add(str(number)) for number in range(2500)])

    asyncio.run(scene())
    assert [len(call) for call in calls] == [1000, 1000, 500]
    assert [one for call in calls for one in call] == [str(number) for number in range(2500)]


def test_ids_that_come_meanwhile_wait_for_the_next_call() -> None:
    calls: list[Sequence[str]] = []
    go = asyncio.Event()

    async def send(ack_ids: Sequence[str]) -> None:
        calls.append(ack_ids)
        await go.wait()

    async def scene() -> None:
        batches = Batches(send)
        added = [batches.add("1")]
        await asyncio.sleep(0)
        added.append(batches.add("2"))
        await asyncio.sleep(0)
        added += [batches.add("3"), batches.add("4")]
        await asyncio.sleep(0)
        assert calls == [["1"], ["2"]]
        go.set()
        await asyncio.gather(*added)

    asyncio.run(scene())
    assert calls[2:] == [["3", "4"]]


def test_a_failed_call_fails_its_ids_and_not_the_next_ones() -> None:
    failing = True

    async def send(ack_ids: Sequence[str]) -> None:
        if failing:
            raise BrokerError("away")

    async def scene() -> None:
        nonlocal failing
        batches = Batches(send)
        one, two = batches.add("1"), batches.add("2")
        for done in (one, two):
            with pytest.raises(BrokerError, match="away"):
                await done
        failing = False
        await batches.add("3")

    asyncio.run(scene())


def test_an_id_may_be_given_up() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def send(ack_ids: Sequence[str]) -> None:
        begun.set()
        await go.wait()

    async def scene() -> None:
        batches = Batches(send)
        given_up, other = batches.add("1"), batches.add("2")
        await begun.wait()
        given_up.cancel()
        go.set()
        await other

    asyncio.run(scene())


def test_a_call_that_is_broken_off_fails_its_ids() -> None:
    async def send(ack_ids: Sequence[str]) -> None:
        raise asyncio.CancelledError

    async def scene() -> None:
        batches = Batches(send)
        with pytest.raises(BrokerError, match="broken off"):
            await batches.add("1")

    asyncio.run(scene())
