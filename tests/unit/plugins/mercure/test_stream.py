"""Streams and the hub: history, live updates, slow subscribers, ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.plugins.mercure.grants import NOTHING, Grant
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.selectors import Matcher, Selector
from pyroadrunner.plugins.mercure.stores.memory import MemoryStore
from pyroadrunner.plugins.mercure.stream import COMMENT, Stream, StreamLimits
from pyroadrunner.plugins.mercure.update import EARLIEST, Update

LIMITS = StreamLimits(queue=3, queue_bytes=1000, heartbeat=40, dispatch_timeout=5)


class Scene:
    """A hub with a store in memory and a virtual clock."""

    def __init__(self, size: int = 100) -> None:
        self.now = 1000.0
        self.store = MemoryStore(size, 0)
        self.hub = Hub(self.store, Matcher("http://hub.test/hub"))
        self.tasks: list[asyncio.Task[None]] = []

    async def publish(self, *data: str, topic: str = "a", private: bool = False) -> None:
        for one in data:
            await self.store.append(Update([topic], one, identity=f"urn:{one}", private=private))

    def follow(
        self, client: Client, *topics: str, after: int | None = None, deadline: float = 0.0, grant: Grant = NOTHING
    ) -> Stream:
        selectors = [Selector("topic", topic) for topic in topics or ("a",)]
        clock = lambda: self.now  # noqa: E731
        stream = Stream(
            str(id(client)), selectors, grant, self.hub, LIMITS, after=after, deadline=deadline, clock=clock
        )
        self.hub.add(stream)
        self.tasks.append(asyncio.get_running_loop().create_task(stream.run(client.send)))
        return stream


class Client:
    """Reads, or does not."""

    def __init__(self) -> None:
        self.received = b""
        self.ended = False
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.received += message["body"]
        self.ended = not message["more_body"]

    @property
    def data(self) -> list[str]:
        return [line.removeprefix("data: ") for line in self.received.decode().split("\n") if line.startswith("data: ")]


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def scene(test: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def work() -> None:
            stage = Scene()
            await stage.store.start(stage.hub.deliver, stage.hub.reset)
            await test(stage)
            for task in stage.tasks:
                task.cancel()

        asyncio.run(work())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@scene
async def test_live_updates_come_joined_and_in_order(stage: Scene) -> None:
    client = Client()
    await stage.publish("before")
    stage.follow(client)
    await turns()
    assert client.received == COMMENT
    await stage.publish("1", "2")
    await stage.publish("other", topic="b")
    await turns()
    assert client.data == ["1", "2"]


@scene
async def test_updates_during_the_replay_come_once(stage: Scene) -> None:
    client = Client()
    await stage.publish(*map(str, range(500)))
    client.reads.clear()
    stage.follow(client, after=100)
    await turns()
    await stage.publish(*map(str, range(500, 900)))  # far more than the queue
    client.reads.set()
    await turns()
    assert client.data == [str(number) for number in range(800, 900)]  # the store keeps so many
    await stage.publish("live")
    await turns()
    assert client.data[-1] == "live"


@scene
async def test_a_slow_subscriber_is_cut_when_its_queue_is_full(stage: Scene) -> None:
    slow, quick = Client(), Client()
    stream = stage.follow(slow)
    stage.follow(quick)
    await turns()
    slow.reads.clear()
    await stage.publish("1")
    await turns()
    for number in range(2, 10):
        await stage.publish(str(number))
        await turns()
    assert quick.data == [str(number) for number in range(1, 10)]
    assert (stream.ended, stream.cut) == ("slow", True)
    assert stage.tasks[0].done()
    assert stage.tasks[0].exception() is None


@scene
async def test_a_subscriber_that_does_not_read_is_cut_in_time(stage: Scene) -> None:
    client = Client()
    stream = stage.follow(client)
    await turns()
    client.reads.clear()
    await stage.publish("1")
    await turns()
    stage.now += 4.9
    stream.tick(stage.now)
    assert not stream.cut
    stage.now += 0.2
    stream.tick(stage.now)
    await turns()
    assert stream.ended == "slow"
    assert stage.tasks[0].done()


@scene
async def test_comments_after_silence_and_the_end_of_a_life(stage: Scene) -> None:
    client = Client()
    stream = stage.follow(client, deadline=stage.now + 100)
    await turns()
    for seconds, expected in ((39, COMMENT), (1, COMMENT * 2), (39, COMMENT * 2), (1, COMMENT * 3)):
        stage.now += seconds
        stream.tick(stage.now)
        await turns()
        assert client.received == expected
    stage.now += 20
    stream.tick(stage.now)
    await turns()
    assert (client.ended, stream.ended) == (True, "expired")


@scene
async def test_what_waits_is_sent_before_the_end(stage: Scene) -> None:
    client = Client()
    stream = stage.follow(client)
    await turns()
    client.reads.clear()
    await stage.publish("1", "2")
    stream.end("drained", b"retry: 5\n\n")
    await stage.publish("3")  # comes after the reconnect
    client.reads.set()
    await turns()
    assert client.received.endswith(b"data: 2\n\nretry: 5\n\n")
    assert client.ended


@scene
async def test_private_updates_need_a_grant_in_history_and_live(stage: Scene) -> None:
    allowed, refused = Client(), Client()
    await stage.publish("1", private=True)
    stage.follow(allowed, "*", after=0, grant=Grant(subscribe=[Selector("topic", "{x}")]))
    stage.follow(refused, "a", after=0)
    await turns()
    await stage.publish("2", private=True)
    await stage.publish("3")
    await turns()
    assert (allowed.data, refused.data) == (["1", "2", "3"], ["3"])


@scene
async def test_a_store_that_counts_from_one_again(stage: Scene) -> None:
    client = Client()
    await stage.publish("1", "2", "3")
    stage.follow(client)
    await turns()
    stage.store.position = 0
    stage.hub.reset()
    await stage.publish("new")
    await turns()
    assert client.data == ["new"]


@scene
async def test_the_hub_forgets_those_that_leave(stage: Scene) -> None:
    streams = [stage.follow(Client(), "a", "b/{id}", "*") for _ in range(3)]
    assert stage.hub.selectors == 3
    for stream in streams:
        stage.hub.remove(stream)
        stage.hub.remove(stream)
    assert (stage.hub.selectors, len(stage.hub.subscribers)) == (0, 0)


# -- the store in memory ---------------------------------------------------------------------------------------------


def kept(store: MemoryStore, after: int, count: int) -> Sequence[str]:
    return [update.data for update in asyncio.run(store.read(after, count))]


@pytest.mark.parametrize(
    ("after", "count", "found"),
    [(0, 3, "567"), (0, 100, "56789"), (6, 2, "67"), (9, 5, "9"), (10, 5, ""), (4, 1, "5"), (99, 5, "")],
)
def test_reading_the_store(after: int, count: int, found: str) -> None:
    store = MemoryStore(5, 0)

    async def fill() -> None:
        assert await store.last_id() == EARLIEST
        assert await store.read(0, 5) == []
        for number in range(10):
            await store.append(Update(["a"], str(number), identity=f"urn:{number}"))
        assert [await store.find(f"urn:{number}") for number in (0, 4, 5, 9)] == [None, None, 6, 10]
        assert await store.last_id() == "urn:9"

    asyncio.run(fill())
    assert "".join(kept(store, after, count)) == found


def test_the_store_is_bounded_in_bytes_and_finds_the_first_of_an_id() -> None:
    store = MemoryStore(0, 5000)

    async def fill() -> None:
        for _ in range(3):
            await store.append(Update(["a"], "x", identity="same"))
        assert await store.find("same") == 1
        for number in range(100):
            await store.append(Update(["a"], "x" * 1000, identity=str(number)))
        assert await store.find("same") is None
        assert len(await store.read(0, 100)) == 3

    asyncio.run(fill())
