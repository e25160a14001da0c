"""The contract of all lock drivers, tested on two servers that share the locks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.proto.lock.v1beta1.lock_pb2 import Request
from pyroadrunner.sdk.rpc import CallFailed
from support.locks import LONG, LockClient
from support.server import Server

Play = Callable[[Any], None]


@pytest.fixture
def name() -> str:
    return f"{{odd *name?}} {uuid.uuid4().hex}"


def test_a_lock_has_one_holder(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("Lock", name, "1")
        assert not await one.call("Lock", name, "1")
        assert not await other.call("Lock", name, "2", wait=1)
        assert not await other.call("LockRead", name, "2")
        assert await other.call("Exists", name, "*")
        assert await other.call("Exists", name, "1")
        assert not await other.call("Exists", name, "2")
        assert not await other.call("Release", name, "2")
        assert await other.call("Release", name, "1")
        assert not await one.call("Exists", name, "*")
        assert not await one.call("Release", name, "1")

    play(scene)


def test_force_release_knows_names_that_were_locked_before(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert not await other.call("ForceRelease", name)
        assert await one.call("LockRead", name, "1")
        assert await one.call("LockRead", name, "2")
        assert await other.call("ForceRelease", name)
        assert not await one.call("Exists", name, "*")
        assert await other.call("ForceRelease", name)

    play(scene)


def test_read_locks_are_shared_and_the_only_reader_may_upgrade(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("LockRead", name, "1")
        assert await other.call("LockRead", name, "2")
        assert await other.call("LockRead", name, "2", ttl=LONG)
        assert not await one.call("Lock", name, "1")
        assert not await one.call("Lock", name, "3")
        assert await one.call("Release", name, "2")
        assert not await one.call("Release", name, "2"), "a second read lock of the same id counts as the same"
        assert await other.call("Lock", name, "1"), "the only reader gets the exclusive lock"
        assert not await other.call("LockRead", name, "2")
        assert (await one.view(name))["exclusive"]
        assert await one.call("Release", name, "1")

    play(scene)


def test_an_upgrade_is_granted_before_waiting_calls(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("LockRead", name, "1")
        assert await one.call("LockRead", name, "2")
        stranger = asyncio.create_task(other.call("Lock", name, "3", wait=LONG))
        await one.until_waiting(name, ["3"])
        upgrade = asyncio.create_task(other.call("Lock", name, "1", wait=LONG))
        await one.until_waiting(name, ["1", "3"])
        assert await one.call("Release", name, "2")
        assert await upgrade
        assert await one.call("Release", name, "1")
        assert await stranger

    play(scene)


def test_a_reader_does_not_overtake_a_waiting_writer(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("LockRead", name, "1")
        writer = asyncio.create_task(other.call("Lock", name, "2", wait=LONG))
        await one.until_waiting(name, ["2"])
        assert not await one.call("LockRead", name, "3")
        readers, queue = [], ["2"]
        for key in ("r0", "r1", "r2"):
            readers.append(asyncio.create_task(one.call("LockRead", name, key, wait=LONG)))
            queue.append(key)
            await one.until_waiting(name, queue)
        assert await one.call("Release", name, "1")
        assert await writer
        assert not any(reader.done() for reader in readers)
        assert await one.call("Release", name, "2")
        assert all(await asyncio.gather(*readers)), "consecutive readers get it together"

    play(scene)


def test_waiting_calls_are_served_in_order(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("Lock", name, "first")
        order: list[str] = []

        async def wait(client: LockClient, key: str) -> None:
            assert await client.call("Lock", name, key, wait=LONG)
            order.append(key)
            assert await client.call("Release", name, key)

        tasks = []
        for n in range(10):
            tasks.append(asyncio.create_task(wait((one, other)[n % 2], str(n))))
            await one.until_waiting(name, [str(m) for m in range(n + 1)])
        assert await other.call("Release", name, "first")
        await asyncio.gather(*tasks)
        assert order == [str(n) for n in range(10)]

    play(scene)


def test_a_lock_expires_and_the_next_call_gets_it(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("Lock", name, "1", ttl=100_000)
        assert await other.call("Lock", name, "2", wait=LONG, ttl=50_000)
        assert await one.call("Lock", name, "3", wait=LONG)
        for gone in ("1", "2"):
            assert not await one.call("Exists", name, gone)
        assert await one.call("Exists", name, "3")

    play(scene)


def test_the_time_of_a_lock_can_be_changed(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert not await one.call("UpdateTTL", name, "1", ttl=LONG)
        assert await one.call("Lock", name, "1", ttl=LONG)
        left = (await other.view(name))["holders"][0]["ttl"]
        assert 0 < left <= LONG
        assert await other.call("UpdateTTL", name, "1", ttl=2 * LONG)
        assert LONG < (await one.view(name))["holders"][0]["ttl"] <= 2 * LONG
        assert await other.call("UpdateTTL", name, "1")
        assert (await one.view(name))["holders"][0]["ttl"] == 0, "no time: no expiry"
        waiting = asyncio.create_task(other.call("Lock", name, "2", wait=LONG))
        await one.until_waiting(name, ["2"])
        assert await one.call("UpdateTTL", name, "1", ttl=1)
        assert await waiting

    play(scene)


def test_a_wait_has_a_time_limit(play: Play, name: str) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("LockRead", name, "1")
        writer = asyncio.create_task(other.call("Lock", name, "2", wait=200_000))
        await one.until_waiting(name, ["2"])
        reader = asyncio.create_task(one.call("LockRead", name, "3", wait=LONG))
        assert not await writer
        assert await reader, "the writer it waited for has gone"
        assert (await one.view(name))["waiting"] == []

    play(scene)


@pytest.mark.parametrize("how", ["abort", "half"])
def test_a_disconnected_client_gives_up_its_place(
    play: Play, name: str, servers: tuple[Server, Server], how: str
) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        assert await one.call("Lock", name, "holder")
        host, _, port = servers[1].rpc.removeprefix("tcp://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        body = Request(resource=name, id="gone", wait=LONG).SerializeToString()
        writer.write(encode_call(1, b"lock.Lock", body, Flag.PROTO))
        await one.until_waiting(name, ["gone"])
        behind = asyncio.create_task(one.call("Lock", name, "behind", wait=LONG))
        await one.until_waiting(name, ["gone", "behind"])
        writer.transport.abort() if how == "abort" else writer.write_eof()
        await one.until_waiting(name, ["behind"])
        assert await one.call("Release", name, "holder")
        assert await behind
        writer.transport.abort()

    play(scene)


def test_tokens_of_a_name_grow(play: Play, name: str, servers: tuple[Server, Server]) -> None:
    async def scene(one: LockClient, other: LockClient) -> None:
        tokens = []
        for n in range(6):
            client = (one, other)[n % 2]
            assert await client.call("Lock", name, str(n))
            tokens.append((await client.view(name))["holders"][0]["token"])
            assert await client.call("Release", name, str(n))
        assert tokens == sorted(set(tokens))

    play(scene)


def test_invalid_arguments_are_errors(play: Play, name: str) -> None:
    async def scene(one: LockClient, _: LockClient) -> None:
        for method in ("Lock", "LockRead", "Release", "Exists", "UpdateTTL"):
            with pytest.raises(CallFailed, match=r"^empty ID is not allowed$"):
                await one.call(method, name)
        with pytest.raises(CallFailed, match="ttl is in microseconds and can't be negative: -1"):
            await one.call("Lock", name, "1", ttl=-1)
        assert await one.call("Lock", name, "1", ttl=2**63 - 1), "ages"
        assert await one.call("UpdateTTL", name, "1", ttl=2**63 - 1)
        assert not await one.call("Lock", name, "2", wait=1000)
        assert await one.call("Release", name, "1")
        assert await one.rpc.call("lock.Lock", {"resource": name, "id": "json", "wait": 2**63 - 1}) == {"ok": True}

    play(scene)
