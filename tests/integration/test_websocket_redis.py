"""Topics of several servers with one Redis."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from test_websocket import WORKER, ask, client, config, on_the_loop
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from pyroadrunner.sdk.websocket import AsyncWebSockets, WebSockets
from support.redis import RedisServer, redis_server
from support.server import Server

TOPICS = [
    {"match": "kept.*", "public": True, "presence": True, "history": {"size": 100_000}},
    {"match": "*", "public": True},
]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as server:
        yield server


def start(stack: ExitStack, folder: Path, redis: RedisServer) -> Server:
    folder.mkdir(exist_ok=True)
    (folder / "worker.php").write_text(WORKER)
    driver = {"driver": "redis", "config": {"addrs": [redis.address]}, "presence_ttl": "6s"}
    given = config(**driver, topics=TOPICS)
    return stack.enter_context(Server(folder, given))


async def published(sockets: WebSockets, text: str) -> None:
    """Publish once Redis is back."""
    while True:
        try:
            sockets.publish("kept.x", text)
        except CallFailed:
            await asyncio.sleep(0.05)
        else:
            return


async def absent(sockets: AsyncWebSockets, user: str) -> None:
    """Return once a user does not follow the topic any more."""
    while any(member["user"] == user for member in await sockets.presence("kept.x")):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def test_publications_reach_the_clients_of_all_servers(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")

        @on_the_loop
        async def scene() -> None:
            async with (
                client(one, "topic=kept.x&topic=lost") as first,
                client(two, "topic=kept.x&topic=lost") as second,
            ):
                await asyncio.gather(ask(first, "ready?"), ask(second, "ready?"))
                with WebSockets(RpcClient(two.rpc)) as sockets:
                    sent = sockets.publish(["kept.x", "lost"], "hello")
                    assert (sent["kept.x"]["offset"], sent["lost"]["offset"]) == (1, 0)
                    assert [await first.recv(), await first.recv()] == ["hello", "hello"]
                    assert [await second.recv(), await second.recv()] == ["hello", "hello"]
                    sockets.publish("lost", b"\xff\x00")
                    assert await first.recv() == b"\xff\x00"

        scene()


def test_presence_is_that_of_all_servers_that_are_alive(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")

        @on_the_loop
        async def scene() -> None:
            async with client(one, "topic=kept.x&user=ann") as ann, client(two, "topic=kept.x&user=bob") as bob:
                await asyncio.gather(ask(ann, "ready?"), ask(bob, "ready?"))
                async with AsyncWebSockets(AsyncRpcClient(one.rpc)) as sockets:
                    found = await sockets.presence("kept.x")
                    assert sorted(member["user"] for member in found) == ["ann", "bob"]
                    two.kill()
                    await absent(sockets, "bob")
                    assert [member["user"] for member in await sockets.presence("kept.x")] == ["ann"]
                    await ann.close()
                    await absent(sockets, "ann")

        scene()


def test_a_redis_that_is_away_loses_nothing_that_was_published(tmp_path: Path, redis: RedisServer) -> None:
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")

        @on_the_loop
        async def scene() -> None:
            async with client(two, "topic=kept.x") as follower:
                await ask(follower, "ready?")
                with WebSockets(RpcClient(one.rpc)) as sockets:
                    sockets.publish("kept.x", "1")
                    redis.ask("CLIENT KILL TYPE pubsub")
                    sockets.publish("kept.x", "2")  # no server listens to the channel
                    sockets.publish("kept.x", "3")
                    assert [await follower.recv() for _ in range(3)] == ["1", "2", "3"]
                    redis.program.kill()
                    with pytest.raises(CallFailed):
                        sockets.publish("kept.x", "refused")
                    redis.program.start()
                    await published(sockets, "4")
                    assert await follower.recv() == "4"

        scene()


def test_clients_of_a_server_that_was_killed_miss_nothing(tmp_path: Path, redis: RedisServer) -> None:
    count = int(os.environ.get("RR_TEST_PUBLICATIONS", "2000"))  # 100,000 takes about a minute
    with ExitStack() as stack:
        one, two = (start(stack, tmp_path / name, redis) for name in "ab")
        servers = [two]

        async def follow(got: list[int], joined: asyncio.Event) -> None:
            """Follow by an envelope and come back as a page does."""
            position = ""
            while len(got) < count:
                try:
                    async with client(servers[0], f"back=kept.x{position}") as connection:
                        if not joined.is_set():
                            await ask(connection, "ready?")  # answered when it has joined
                            joined.set()
                        async for message in connection:
                            envelope = json.loads(message)
                            position = f"&offset={envelope['offset']}&epoch={envelope['epoch']}"
                            got.append(int(envelope["data"]))
                            if len(got) >= count:
                                return
                except (OSError, ConnectionClosed, InvalidStatus):
                    await asyncio.sleep(0.05)

        async def replace() -> None:
            two.kill()
            servers[0] = await asyncio.to_thread(start, stack, tmp_path / "c", redis)

        everything: list[list[int]] = [[], [], []]

        async def scene() -> None:
            joined = [asyncio.Event() for _ in everything]
            following = [asyncio.create_task(follow(*pair)) for pair in zip(everything, joined, strict=True)]
            for event in joined:
                await event.wait()
            replacing = None
            async with AsyncWebSockets(AsyncRpcClient(one.rpc)) as sockets:
                for number in range(count):
                    await sockets.publish("kept.x", str(number))
                    if number == count // 4:
                        while not all(everything):  # each has a position to come back with  # noqa: ASYNC110
                            await asyncio.sleep(0.02)
                        replacing = asyncio.create_task(replace())
                    if number == count // 2 and replacing is not None:
                        await replacing
            await asyncio.gather(*following)
            assert everything == [list(range(count))] * 3

        async def bounded() -> None:
            try:
                async with asyncio.timeout(90 + count / 200):
                    await scene()
            except TimeoutError:
                missing = [sorted(set(range(count)) - set(got))[:10] for got in everything]
                pytest.fail(f"received {[len(got) for got in everything]}, missing {missing}")

        asyncio.run(bounded())
