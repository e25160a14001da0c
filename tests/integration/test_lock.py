"""Named locks, asked for at the real server: by one, by many at a time, and by clients that go away."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.goridge.frame import Flag
from pyroadrunner.goridge.rpc import encode_call
from pyroadrunner.proto.lock.v1beta1.lock_pb2 import Request, Response
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.php import require_php
from support.server import Server

ROOT = Path(__file__).parents[2]
LONG = 60_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lock"), {}) as server:
        yield server


def ask(client: RpcClient, method: str, **fields: Any) -> bool:
    return client.call_message(f"lock.{method}", Request(**fields), Response, timeout=30).ok


def test_one_client_locks_asks_and_releases(server: Server) -> None:
    with RpcClient(server.rpc) as client:
        assert ask(client, "Lock", resource="a", id="1")
        assert not ask(client, "Lock", resource="a", id="1")
        assert not ask(client, "Lock", resource="a", id="2", wait=1)
        assert not ask(client, "LockRead", resource="a", id="2")
        assert ask(client, "Exists", resource="a", id="*")
        assert not ask(client, "Exists", resource="a", id="2")
        assert ask(client, "UpdateTTL", resource="a", id="1", ttl=LONG)
        (view,) = client.call("lock.List")
        assert (view["resource"], view["exclusive"], view["holders"][0]["id"]) == ("a", True, "1")
        assert 0 < view["holders"][0]["ttl"] <= LONG
        assert not ask(client, "Release", resource="a", id="2")
        assert ask(client, "Release", resource="a", id="1")
        assert ask(client, "ForceRelease", resource="a")
        assert not ask(client, "ForceRelease", resource="never")
        assert client.call("lock.Lock", {"resource": "json", "id": "1"}) == {"ok": True}
        assert client.call("lock.Lock", {"resource": "json", "id": "1"}) == {}


def test_what_makes_no_sense_is_an_error(server: Server) -> None:
    with RpcClient(server.rpc) as client:
        for method in ("Lock", "LockRead", "Release", "Exists", "UpdateTTL"):
            with pytest.raises(CallFailed, match=r"^empty ID is not allowed$"):
                ask(client, method, resource="a")
        with pytest.raises(CallFailed, match="ttl is in microseconds and can't be negative: -1"):
            ask(client, "Lock", resource="a", id="1", ttl=-1)
        assert ask(client, "Lock", resource="ages", id="1", ttl=2**63 - 1)


def test_a_lock_ends_by_itself_and_the_next_gets_it(server: Server) -> None:
    with RpcClient(server.rpc) as client:
        assert ask(client, "Lock", resource="ttl", id="1", ttl=50_000)
        assert ask(client, "Lock", resource="ttl", id="2", wait=LONG)
        assert not ask(client, "Exists", resource="ttl", id="1")


async def call(client: AsyncRpcClient, method: str, **fields: Any) -> bool:
    return (await client.call_message(f"lock.{method}", Request(**fields), Response, timeout=30)).ok


def test_those_who_wait_are_served_in_order(server: Server) -> None:
    async def scene() -> None:
        async with AsyncRpcClient(server.rpc) as client:
            assert await call(client, "Lock", resource="q", id="first")
            order: list[str] = []

            async def wait(name: str) -> None:
                assert await call(client, "Lock", resource="q", id=name, wait=LONG)
                order.append(name)
                assert await call(client, "Release", resource="q", id=name)

            tasks = [asyncio.create_task(wait(str(n))) for n in range(20)]
            await asyncio.sleep(0)
            assert await call(client, "Release", resource="q", id="first")
            await asyncio.gather(*tasks)
            assert order == [str(n) for n in range(20)]

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["abort", "half"])
def test_a_client_that_goes_away_gives_up_its_place(server: Server, how: str) -> None:
    async def scene() -> None:
        async with AsyncRpcClient(server.rpc) as client:
            assert await call(client, "Lock", resource=how, id="holder")
            host, _, port = server.rpc.removeprefix("tcp://").rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            body = Request(resource=how, id="gone", wait=LONG).SerializeToString()
            writer.write(encode_call(1, b"lock.Lock", body, Flag.PROTO))

            async def waiting() -> list[str]:
                return next(one["waiting"] for one in await client.call("lock.List") if one["resource"] == how)

            while await waiting() != ["gone"]:
                pass
            writer.transport.abort() if how == "abort" else writer.write_eof()
            while await waiting():
                pass
            assert await call(client, "Release", resource=how, id="holder")
            assert not await call(client, "Exists", resource=how, id="*")
            writer.transport.abort()

    asyncio.run(scene())


def test_a_stop_does_not_wait_for_those_who_wait(tmp_path: Path) -> None:
    async def scene(server: Server) -> None:
        async with AsyncRpcClient(server.rpc) as client:
            assert await call(client, "Lock", resource="x", id="1")
            task = asyncio.create_task(call(client, "Lock", resource="x", id="2", wait=LONG))
            await asyncio.sleep(0)
            assert await call(client, "Exists", resource="x", id="1")
            await asyncio.to_thread(server.stop)
            assert not await task

    with Server(tmp_path, {}) as server:
        asyncio.run(scene(server))
    assert server.exit_code == 0


COUNTING = """
require %s;
$rpc = PyRoadRunner\\Rpc\\Rpc::create();
[, $file, $id, $turns] = $argv;
for ($n = 0; $n < (int) $turns; $n++) {
    $got = $rpc->call('lock.Lock', ['resource' => 'counter', 'id' => "$id-$n", 'ttl' => 60000000, 'wait' => 60000000]);
    if (!($got['ok'] ?? false)) { exit(3); }
    file_put_contents($file, (string) ((int) file_get_contents($file) + 1));
    $left = $rpc->call('lock.Release', ['resource' => 'counter', 'id' => "$id-$n"]);
    if (!($left['ok'] ?? false)) { exit(4); }
}
"""


def test_many_php_processes_never_hold_it_at_once(server: Server, tmp_path: Path) -> None:
    """A file is read and written in two steps: two holders at once would lose a count."""
    script, file = tmp_path / "count.php", tmp_path / "counter"
    script.write_text("<?php" + COUNTING % json.dumps(str(ROOT / "php" / "autoload.php")))
    file.write_text("0")
    environment = {**os.environ, "RR_RPC": server.rpc}
    processes = [
        subprocess.Popen([require_php(), str(script), str(file), str(n), "50"], env=environment) for n in range(8)
    ]
    assert [process.wait(60) for process in processes] == [0] * 8
    assert file.read_text() == "400"
