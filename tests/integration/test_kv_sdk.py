"""The Python clients of storages, blocking and for asyncio, against a running server."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyroadrunner.sdk.kv import AsyncKv, Kv
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient, Unreachable
from support.server import Server, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("kv"), {"kv": {"cache": {"driver": "memory"}}}) as server:
        yield server


@pytest.fixture
def kv(server: Server) -> Iterator[Kv]:
    with Kv("cache", RpcClient(server.rpc)) as kv:
        kv.clear()
        yield kv


def test_values_are_set_got_and_deleted(kv: Kv) -> None:
    data = bytes(range(256)) * 2000
    kv.set("binary", data)
    kv.set("text", "ключ")
    kv.set_many({"a": b"1", "b": ""})
    assert kv.get("binary") == data
    assert kv.get("text") == "ключ".encode()
    assert kv.get("missing") is None
    assert kv.get_many(["a", "b", "missing"]) == {"a": b"1", "b": b""}
    assert (kv.has("a"), kv.has("missing")) == (True, False)
    kv.delete("a")
    kv.delete_many(["b", "missing"])
    assert kv.get_many(["a", "b"]) == {}
    kv.clear()
    assert not kv.has("text")


def test_lifetimes(kv: Kv) -> None:
    before = datetime.now(UTC)
    kv.set("minute", b"v", ttl=timedelta(minutes=1))
    kv.set("forever", b"v")
    kv.set("gone", b"v")
    kv.set("gone", b"v", ttl=0)
    kv.set("later", b"v")
    kv.expire("later", 100)
    kv.set("short", b"v", ttl=0.2)
    assert not kv.has("gone")
    minute, later = kv.expires("minute"), kv.expires("later")
    assert minute is not None
    assert later is not None
    assert before + timedelta(seconds=59) <= minute <= datetime.now(UTC) + timedelta(seconds=60)
    assert before + timedelta(seconds=99) <= later <= datetime.now(UTC) + timedelta(seconds=100)
    assert kv.expires("forever") is None
    assert kv.expires("missing") is None
    deadline = time.monotonic() + 10
    while kv.has("short"):
        assert time.monotonic() < deadline


def test_counters_and_values_that_are_set_once(kv: Kv) -> None:
    assert [kv.increment("c"), kv.increment("c", 41), kv.decrement("c", 42), kv.decrement("c")] == [1, 42, 0, -1]
    assert kv.increment("timed", ttl=100) == 1
    assert kv.expires("timed") is not None
    assert (kv.add("lock", "me", ttl=10), kv.add("lock", "you", ttl=10)) == (True, False)
    assert kv.get("lock") == b"me"


def test_a_refusal_has_the_text_of_the_server(server: Server, kv: Kv) -> None:
    with Kv("nope", RpcClient(server.rpc)) as nope, pytest.raises(CallFailed, match="rpc_mget: no such storage: nope"):
        nope.get("k")
    kv.set("text", "x")
    with pytest.raises(CallFailed, match="value is not an integer"):
        kv.increment("text")
    with pytest.raises(Unreachable):
        Kv("cache", RpcClient(f"tcp://127.0.0.1:{free_port()}")).get("k")


def test_the_address_is_that_of_the_server_that_started_the_worker(
    server: Server, kv: Kv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RR_RPC", server.rpc)
    kv.set("k", b"v")
    with Kv("cache") as own:
        assert own.get("k") == b"v"


def test_the_example_of_the_manual_does_what_it_says(server: Server, kv: Kv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_RPC", server.rpc)
    page = (Path(__file__).parents[2] / "docs" / "python-workers.md").read_text()
    (example,) = [text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "sdk.kv" in text]
    names: dict[str, Kv] = {}
    exec(example, names)
    names["cache"].close()
    assert (kv.get("greeting"), kv.get("visits"), kv.get("lock")) == (b"hello", b"1", b"me")
    assert kv.expires("visits") is not None
    assert not kv.add("lock", "you")


def test_concurrent_asyncio_calls(server: Server, kv: Kv) -> None:
    async def main() -> None:
        async with AsyncKv("cache", AsyncRpcClient(server.rpc)) as kv:
            assert sorted(await asyncio.gather(*(kv.increment("c") for _ in range(50)))) == list(range(1, 51))
            await kv.set_many({"a": b"1", "b": "2"}, ttl=60)
            assert await kv.get_many(["a", "b", "missing"]) == {"a": b"1", "b": b"2"}
            assert await kv.get("missing") is None
            assert await kv.expires("a") is not None
            await kv.expire("a", -1)
            assert not await kv.has("a")
            await kv.set("b", b"v", ttl=0)
            assert not await kv.has("b")
            assert await kv.add("x", b"1")
            assert not await kv.add("x", b"1")
            assert await kv.decrement("c", 50) == 0
            await kv.delete("x")
            assert not await kv.has("x")
            await kv.clear()
            assert not await kv.has("c")

    asyncio.run(main())
