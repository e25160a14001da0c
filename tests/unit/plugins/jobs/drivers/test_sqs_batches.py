"""Calls with up to ten entries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.plugins.jobs.drivers.sqs.batches import Batches, Json
from pyroadrunner.plugins.jobs.drivers.sqs.client import CallFailed


def test_entries_that_come_together_go_together() -> None:
    calls: list[list[str]] = []

    async def send(entries: Sequence[Json]) -> Json:
        assert [entry["Id"] for entry in entries] == [str(at) for at in range(len(entries))]
        calls.append([entry["n"] for entry in entries])
        return {}

    async def scene() -> None:
        batches = Batches(send)
        await asyncio.gather(*[batches.add({"n": str(number)}) for number in range(25)])

    asyncio.run(scene())
    assert [len(call) for call in calls] == [10, 10, 5]
    assert [one for call in calls for one in call] == [str(number) for number in range(25)]


def test_each_entry_has_its_own_error() -> None:
    async def send(entries: Sequence[Json]) -> Json:
        return {"Failed": [{"Id": "1", "Code": "ReceiptHandleIsInvalid", "Message": "no"}]}

    async def scene() -> None:
        batches = Batches(send)
        one, two = await asyncio.gather(batches.add({}), batches.add({}), return_exceptions=True)
        assert one is None
        assert isinstance(two, CallFailed)
        assert two.code == "ReceiptHandleIsInvalid"

    asyncio.run(scene())


def test_a_failed_call_fails_its_entries_and_not_the_next_ones() -> None:
    failing = True

    async def send(entries: Sequence[Json]) -> Json:
        if failing:
            raise BrokerError("away")
        return {}

    async def scene() -> None:
        nonlocal failing
        batches = Batches(send)
        with pytest.raises(BrokerError, match="away"):
            await batches.add({})
        failing = False
        await batches.add({})

    asyncio.run(scene())


def test_an_entry_may_be_given_up() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def send(entries: Sequence[Json]) -> Json:
        begun.set()
        await go.wait()
        return {}

    async def scene() -> None:
        batches = Batches(send)
        given_up = asyncio.create_task(batches.add({}))
        other = asyncio.create_task(batches.add({}))
        await begun.wait()
        given_up.cancel()
        go.set()
        await other

    asyncio.run(scene())


def test_an_entry_that_comes_when_all_calls_have_just_ended() -> None:
    """Its caller runs before the tasks of those calls are known to be over."""
    calls = 0
    go = asyncio.Event()

    async def send(entries: Sequence[Json]) -> Json:
        nonlocal calls
        calls += 1
        await go.wait()
        return {}

    async def scene() -> None:
        batches = Batches(send)

        async def add(times: int) -> None:
            for _ in range(times):
                await batches.add({})

        adding = []
        for number in range(8):
            adding.append(asyncio.create_task(add(2 if number == 0 else 1)))
            while calls <= number:  # noqa: ASYNC110
                await asyncio.sleep(0)
        go.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*adding)

    asyncio.run(scene())
