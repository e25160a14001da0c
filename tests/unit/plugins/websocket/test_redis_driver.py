"""Publications of all servers with one Redis, whose replies and messages come in any order."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.redis import RedisDriver
from pyroadrunner.plugins.websocket.publication import Publication
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from support.virtual_time import in_virtual_time, turns


class FakeRedis:
    """Keeps commands until the test answers them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, asyncio.Future[Any]]] = []

    async def execute(self, *command: str | bytes | int) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((str(command[0]), future))
        return await future

    async def answer(self, name: str, reply: Any) -> None:
        command, future = self.asked.pop(0)
        assert command == name
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)
        await turns()


class Scene:
    """A driver whose topic ``t`` has a history."""

    def __init__(self) -> None:
        self.redis = FakeRedis()
        self.driver = RedisDriver(RedisConfig(), "p", lambda _: HistoryConfig(size=10))
        self.driver._redis = self.redis  # type: ignore[assignment]
        self.driver._deliver = self._deliver
        self.delivered: list[int] = []

    def _deliver(self, publication: Publication) -> int:
        self.delivered.append(publication.offset)
        return 1

    async def follow(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.driver.follow("t"))
        await turns()
        return task

    def message(self, offset: int, epoch: bytes = b"e") -> None:
        """The channel brings a publication."""
        self.driver._on_message(b"%d %b " % (offset, epoch) + packed())

    def subscribed(self) -> None:
        self.driver._on_subscribed()


def packed() -> bytes:
    return msgspec.msgpack.encode(("t", b"", True, ""))


def entries(*offsets: int) -> list[Any]:
    """Publications in the reply to XRANGE."""
    return [[b"%d-0" % offset, [b"p", packed(), b"t", b"4000000000"]] for offset in offsets]


@in_virtual_time
async def test_messages_are_delivered_that_come_around_the_reply_with_the_position() -> None:
    for position in (b"5", b"6", b"7", b"8"):
        it = Scene()
        await it.follow()
        it.message(6)
        await it.redis.answer("HMGET", [b"e", position])
        for offset in (7, 8, 9):
            it.message(offset)
        await turns()
        assert (it.delivered, it.redis.asked) == ([6, 7, 8, 9], [])


@in_virtual_time
async def test_a_client_that_has_recovered_gets_what_comes_next() -> None:
    """Though the position was not known when the first client of the topic joined."""
    it = Scene()
    joining = await it.follow()
    recovering = asyncio.create_task(it.driver.recover("t", 3, "e"))
    await turns()
    await it.redis.answer("HMGET", StoreError("away"))
    await joining
    await it.redis.answer("HMGET", [b"e", b"4"])
    await it.redis.answer("XRANGE", entries(4))
    assert [one.offset for one in (await recovering).publications] == [4]
    it.subscribed()  # meanwhile 5 was published
    await turns()
    await it.redis.answer("HMGET", [b"e", b"5"])
    await it.redis.answer("XRANGE", entries(5))
    assert it.delivered == [5]


@in_virtual_time
async def test_a_new_history_is_read_from_its_begin() -> None:
    """Its first publications may have come before the subscription."""
    for epoch, position in ((b"", b"0"), (b"old", b"7")):
        it = Scene()
        await it.follow()
        await it.redis.answer("HMGET", [epoch, position])
        it.message(3)
        await turns()
        await it.redis.answer("HMGET", [b"e", b"3"])
        await it.redis.answer("XRANGE", entries(1, 2, 3))
        it.message(4)
        assert (it.delivered, it.redis.asked) == ([1, 2, 3, 4], [])


@in_virtual_time
async def test_a_topic_that_is_followed_anew_gets_nothing_that_was_read_before() -> None:
    it = Scene()
    await it.follow()
    await it.redis.answer("HMGET", [b"e", b"1"])
    it.message(3)
    await turns()
    await it.redis.answer("HMGET", [b"e", b"3"])
    await it.driver.unfollow("t")
    again = await it.follow()
    await it.redis.answer("XRANGE", entries(2, 3))
    await it.redis.answer("HMGET", [b"e", b"3"])
    await again
    assert it.delivered == []


@in_virtual_time
async def test_a_history_that_begins_anew_while_the_old_one_is_read() -> None:
    it = Scene()
    await it.follow()
    await it.redis.answer("HMGET", [b"old", b"5"])
    it.message(7, b"old")
    await turns()
    await it.redis.answer("HMGET", [b"old", b"7"])
    it.message(1)
    await it.redis.answer("XRANGE", [])
    await it.redis.answer("HMGET", [b"e", b"1"])
    await it.redis.answer("XRANGE", entries(1))
    it.message(2)
    assert (it.delivered, it.redis.asked) == ([1, 2], [])


@in_virtual_time
async def test_a_redis_without_its_data_is_asked_once() -> None:
    it = Scene()
    await it.follow()
    await it.redis.answer("HMGET", [b"old", b"5"])
    it.message(6, b"old")
    it.subscribed()
    await turns()
    await it.redis.answer("HMGET", [None, None])
    await it.redis.answer("XRANGE", [])
    assert (it.delivered, it.redis.asked) == ([6], [])
    it.message(1)
    assert it.delivered == [6, 1]
