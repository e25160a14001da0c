"""Locks in Redis when something breaks: a server, Redis, the settings."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.locks import LONG, LockClient
from support.redis import RedisServer, redis_server
from support.server import Server


def lock(redis: RedisServer, **config: Any) -> dict[str, Any]:
    return {"lock": {"driver": "redis", "config": {"addrs": redis.address, **config}}}


@contextmanager
def servers(folder: Path, redis: RedisServer, **config: Any) -> Iterator[list[Server]]:
    for name in ("one", "other"):
        (folder / name).mkdir()
    with Server(folder / "one", lock(redis, **config)) as one, Server(folder / "other", lock(redis, **config)) as other:
        yield [one, other]


def test_a_crashed_server_leaves_the_queue_and_keeps_no_granted_lock(tmp_path: Path) -> None:
    """Its calls are first in the queue. One is dropped since its server no longer asks for it; the lock granted to
    another one meanwhile is not confirmed either."""

    async def scene(one: Server, other: Server) -> None:
        async with AsyncRpcClient(one.rpc) as rpc, AsyncRpcClient(other.rpc) as dying:
            client = LockClient(rpc)
            for name in ("held", "given"):
                assert await client.call("Lock", name, "holder")
            tasks = [
                asyncio.create_task(LockClient(dying).call("Lock", name, "dead", wait=LONG))
                for name in ("held", "given")
            ]
            behind = []
            for name in ("held", "given"):
                await client.until_waiting(name, ["dead"])
                behind.append(asyncio.create_task(client.call("Lock", name, "behind", wait=LONG)))
                await client.until_waiting(name, ["dead", "behind"])
            other.kill()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await client.call("Release", "given", "holder")
            assert await behind[1]
            await client.until_waiting("held", ["behind"])
            assert await client.call("Release", "held", "holder")
            assert await behind[0]

    with redis_server(tmp_path) as redis, servers(tmp_path, redis) as (one, other):
        asyncio.run(scene(one, other))


def test_a_lock_of_a_crashed_server_expires(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis, servers(tmp_path, redis) as (one, other):
        with RpcClient(other.rpc) as client:
            assert client.call("lock.Lock", {"resource": "x", "id": "dead", "ttl": 500_000})["ok"]
        other.kill()
        with RpcClient(one.rpc) as client:
            assert client.call("lock.Exists", {"resource": "x", "id": "dead"})["ok"]
            assert client.call("lock.Lock", {"resource": "x", "id": "next", "wait": LONG})["ok"]


def test_waiting_calls_survive_a_restart_of_redis(tmp_path: Path) -> None:
    """Redis does not persist here: the held lock is lost, and the waiting call gets it."""

    async def scene(one: Server, other: Server, redis: RedisServer) -> None:
        async with AsyncRpcClient(one.rpc) as first, AsyncRpcClient(other.rpc) as second:
            client = LockClient(first)
            assert await client.call("Lock", "x", "lost")
            before = (await client.view("x"))["holders"][0]["token"]
            waiting = asyncio.create_task(LockClient(second).call("Lock", "x", "patient", wait=LONG))
            await client.until_waiting("x", ["patient"])
            redis.program.kill()
            await asyncio.to_thread(other.wait_for, "redis is unreachable; retrying")
            with pytest.raises(CallFailed, match=r"dial tcp 127\.0\.0\.1:\d+: connect|the connection was lost"):
                await client.call("Exists", "x", "*")
            redis.program.start()
            assert await waiting
            await asyncio.to_thread(other.wait_for, "redis is reachable again")
            (holder,) = (await client.view("x"))["holders"]
            assert holder["id"] == "patient"
            assert holder["token"] > before, "a fencing token grows even if Redis has lost all data"

    with redis_server(tmp_path) as redis, servers(tmp_path, redis, max_retries=-1) as (one, other):
        asyncio.run(scene(one, other, redis))
        assert other.stderr.count("redis is unreachable") == 1


def test_a_wait_without_redis_ends_with_an_error(tmp_path: Path) -> None:
    async def scene(server: Server, redis: RedisServer) -> None:
        async with AsyncRpcClient(server.rpc) as rpc:
            client = LockClient(rpc)
            assert await client.call("Lock", "x", "1")
            waiting = asyncio.create_task(client.call("Lock", "x", "2", wait=3_000_000))
            await client.until_waiting("x", ["2"])
            redis.program.kill()
            with pytest.raises(CallFailed, match=str(redis.port)):
                await waiting

    with redis_server(tmp_path) as redis, Server(tmp_path, lock(redis, max_retries=-1)) as server:
        asyncio.run(scene(server, redis))


def test_a_hanging_redis_is_a_timeout(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path) as redis,
        Server(tmp_path, lock(redis, max_retries=-1, read_timeout="200ms")) as server,
        RpcClient(server.rpc) as client,
    ):
        assert client.call("lock.Lock", {"resource": "x", "id": "1"})["ok"]
        os.kill(redis.program.pid, signal.SIGSTOP)
        try:
            with pytest.raises(CallFailed, match="no answer within"):
                client.call("lock.Release", {"resource": "x", "id": "1"})
        finally:
            os.kill(redis.program.pid, signal.SIGCONT)
        # Redis ran it when it continued. A repeated release reports that the lock is not held, as always.
        client.call("lock.Release", {"resource": "x", "id": "1"})
        assert not client.call("lock.Exists", {"resource": "x", "id": "*"}).get("ok", False)


def test_the_section_redis_is_used(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        config = {"lock": {"driver": "redis", "prefix": "shop"}, "redis": {"addrs": redis.address}}
        with Server(tmp_path, config) as server, RpcClient(server.rpc) as client:
            assert client.call("lock.Lock", {"resource": "x", "id": "1", "ttl": 1_000_000})["ok"]
            assert "shop:x" in redis.ask("KEYS *")


def test_unusable_settings_are_reported_at_start(tmp_path: Path) -> None:
    config = {"lock": {"driver": "redis", "config": {"addrs": "127.0.0.1:1,127.0.0.1:2", "db": 3}}}
    server = Server(tmp_path, config).start()
    try:
        assert server.wait() == 1
        assert "lock: the driver redis can't be started: a cluster has only the database 0" in server.stderr
    finally:
        server.kill()
