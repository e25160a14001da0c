"""Every store of updates against its contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.plugins.mercure.config import SqliteConfig
from pyroadrunner.plugins.mercure.stores.contract import Store, Subscription
from pyroadrunner.plugins.mercure.stores.memory import MemoryStore
from pyroadrunner.plugins.mercure.stores.redis import RedisStore
from pyroadrunner.plugins.mercure.stores.sqlite import SqliteStore
from pyroadrunner.plugins.mercure.update import EARLIEST, Update
from pyroadrunner.remote.redis.config import RedisConfig
from support.redis import redis_server

PATIENCE = 60.0
SIZE = 20

Make = Callable[[], Store]


class Delivered:
    """What a store has delivered."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.resets = 0
        self._changed = asyncio.Event()

    def deliver(self, update: Update) -> None:
        self.updates.append(update)
        self._changed.set()

    def reset(self) -> None:
        self.resets += 1

    async def data(self, count: int) -> list[str]:
        """The data of so many updates, once they were delivered."""
        while len(self.updates) < count:
            self._changed.clear()
            await self._changed.wait()
        return [update.data for update in self.updates]


def update(data: str, identity: str = "") -> Update:
    return Update(["a", "b"], data, identity=identity or f"urn:{data}", private=True, kind="t", retry=5)


def check(folder: Path, kind: str, test: Callable[[Make], Coroutine[Any, Any, None]]) -> None:
    async def bounded(make: Make) -> None:
        async with asyncio.timeout(PATIENCE):
            await test(make)

    if kind == "memory":
        asyncio.run(bounded(lambda: MemoryStore(SIZE, 0)))
    elif kind == "sqlite":
        config = SqliteConfig(file=str(folder / "mercure.db"))
        asyncio.run(bounded(lambda: SqliteStore(config, SIZE)))
    else:
        with redis_server(folder) as redis:
            config_of_redis = RedisConfig(addrs=[redis.address], read_timeout=30.0)
            asyncio.run(bounded(lambda: RedisStore(config_of_redis, "test", SIZE)))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_a_store_keeps_its_contract(tmp_path: Path, kind: str) -> None:
    async def test(make: Make) -> None:
        store, delivered = make(), Delivered()
        await store.start(delivered.deliver, delivered.reset)
        while store.error:  # noqa: ASYNC110 - until Redis' channel is open: the history is too short for a late reader
            await asyncio.sleep(0.01)
        assert (await store.last_id(), await store.find("urn:0"), await store.read(0, 10)) == (EARLIEST, None, [])
        await asyncio.gather(*(store.append(update(str(number))) for number in range(50)))
        data = await delivered.data(50)
        assert sorted(data, key=int) == [str(number) for number in range(50)]
        sequences = [one.sequence for one in delivered.updates]
        assert sequences == list(range(1, 51))
        assert store.position == 50
        first = delivered.updates[0]
        assert (first.topics, first.private, first.type, first.retry) == (("a", "b"), True, "t", 5)

        kept = await store.read(0, 100)
        assert [(one.sequence, one.data, one.id, one.type) for one in kept] == [
            (one.sequence, one.data, one.id, one.type) for one in delivered.updates[-SIZE:]
        ]
        assert [one.sequence for one in await store.read(40, 3)] == [41, 42, 43]
        assert await store.read(50, 3) == []
        assert await store.find(delivered.updates[29].id) is None
        assert await store.find(delivered.updates[30].id) == 31
        assert await store.last_id() == delivered.updates[-1].id

        await store.append(update("again", delivered.updates[-1].id))
        assert await store.find(delivered.updates[-1].id) == 50

        subscription = Subscription(id="/s/1", subscriber="urn:s", kind="topic", text="a", payload={"x": 1})
        await store.register([subscription])
        assert await store.subscriptions() == [subscription]
        await store.unregister([subscription])
        await store.unregister([subscription])
        assert await store.subscriptions() == []
        assert (store.error, delivered.resets) == ("", 0)
        await store.stop()

    check(tmp_path, kind, test)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_an_update_that_was_kept_is_delivered_although_its_publisher_has_left(tmp_path: Path, kind: str) -> None:
    async def test(make: Make) -> None:
        store, delivered = make(), Delivered()
        await store.start(delivered.deliver, delivered.reset)
        publishing = asyncio.create_task(store.append(update("cancelled")))
        await asyncio.sleep(0)
        publishing.cancel()
        await asyncio.wait([publishing])
        await store.append(update("last"))
        kept = len(await store.read(0, 10))
        assert (await delivered.data(kept))[-1] == "last"
        assert [one.data for one in await store.read(0, 10)] == [one.data for one in delivered.updates]
        await store.stop()

    check(tmp_path, kind, test)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_second_process_goes_on_and_the_first_one_notices(tmp_path: Path, kind: str) -> None:
    async def test(make: Make) -> None:
        old, of_old = make(), Delivered()
        await old.start(of_old.deliver, of_old.reset)
        await old.append(update("1"))
        await of_old.data(1)
        new, of_new = make(), Delivered()
        await new.start(of_new.deliver, of_new.reset)
        assert new.position == 1
        await new.append(update("2"))
        await new.append(update("3"))
        await old.append(update("4"))
        assert await of_old.data(4) == ["1", "2", "3", "4"]
        await new.append(update("5"))
        assert await of_new.data(4) == ["2", "3", "4", "5"]
        await old.stop()
        await new.stop()

    check(tmp_path, kind, test)
