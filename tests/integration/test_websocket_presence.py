"""Who follows a topic: both drivers, and what happens when a server with Redis dies, hangs, or loses Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pyroadrunner.plugins.websocket.config import HistoryConfig
from pyroadrunner.plugins.websocket.drivers.contract import Driver, Entered, Left, Member
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.drivers.redis import RedisDriver
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from support.redis import RedisServer, redis_cluster, redis_server

PATIENCE = 60.0
NAMES = iter(range(1000))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def redis_settings(redis: RedisServer) -> RedisConfig:
    return RedisConfig(addrs=[redis.address])


@pytest.fixture(scope="module")
def cluster_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisConfig]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield RedisConfig(addrs=[server.address for server in servers])


def no_history(_: str) -> HistoryConfig:
    return HistoryConfig()


def holds(topic: str) -> bool:
    return topic.startswith("held")


def of_redis(redis: RedisServer, prefix: str, lease: float = 15.0) -> RedisDriver:
    return RedisDriver(RedisConfig(addrs=[redis.address]), prefix, no_history, lease=lease, holds=holds)


async def kill(driver: RedisDriver) -> None:
    """As SIGKILL: nothing is said to the others."""
    if driver._renewing is not None:
        driver._renewing.cancel()
    await driver._subscription.close()
    await driver._redis.close()


def run(scene: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await scene(*arguments)

    asyncio.run(bounded())


def entry(connection: str, user: str = "", info: bytes = b"null") -> Member:
    return Member(connection=connection, user=user, info=info)


@pytest.fixture(params=["memory", "redis", "cluster"])
def make(request: pytest.FixtureRequest) -> Callable[[], Driver]:
    """Makes a driver, in the loop."""
    if request.param == "memory":
        return lambda: MemoryDriver(no_history, asyncio.get_running_loop().time, holds)
    redis: RedisConfig = request.getfixturevalue(f"{request.param}_settings")
    return lambda: RedisDriver(redis, f"p{next(NAMES)}", no_history, holds=holds)


def test_exactly_the_first_and_the_last_are_told_from_the_others(make: Callable[[], Driver]) -> None:
    async def scene() -> None:
        driver = make()
        await driver.start(lambda _: 0)
        assert await driver.enter("t", entry("1", "ann", b'{"a": 1}')) == Entered(
            count=1, first=True, first_of_user=True
        )
        assert await driver.enter("t", entry("2", "ann")) == Entered(count=2, first=False, first_of_user=False)
        assert await driver.enter("t", entry("2", "ann")) == Entered(count=2, first=False, first_of_user=False)
        assert await driver.enter("t", entry("3", "bob é {x} 1 2")) == Entered(count=3, first=False, first_of_user=True)
        assert await driver.enter("t", entry("4")) == Entered(count=4, first=False, first_of_user=False)
        found = {one.connection: (one.user, bytes(one.info)) for one in await driver.members("t")}
        assert found["1"] == ("ann", b'{"a": 1}')
        assert found["3"] == ("bob é {x} 1 2", b"null")
        assert list(await driver.counts(["t", "nothing"])) == [4, 0]
        assert list(await driver.counts(["t", "nothing"], users=True)) == [2, 0]
        assert dict(await driver.occupied("t")) == {"t": 4}
        # A connection changes its user.
        assert (await driver.enter("t", entry("4", "carl"))).first_of_user
        assert not (await driver.enter("t", entry("4", "ann"))).first_of_user
        assert (await driver.leave("t", "4")) == Left(count=3, last=False)
        assert (await driver.leave("t", "unknown")) == Left(count=3, last=False)
        assert (await driver.leave("t", "1")) == Left(count=2, last=False)
        assert (await driver.leave("t", "2")) == Left(count=1, last=False, users=("ann",))
        assert (await driver.leave("t", "3")) == Left(count=0, last=True, users=("bob é {x} 1 2",))
        assert (await driver.leave("t", "3")) == Left(count=0, last=False)
        assert dict(await driver.occupied("t")) == {}
        await driver.stop()

    run(scene)


def test_a_departure_is_held_until_it_is_confirmed_or_taken_back(make: Callable[[], Driver]) -> None:
    async def scene() -> None:
        driver = make()
        await driver.start(lambda _: 0)
        for topic, held in (("held", True), ("other", False)):
            await driver.enter(topic, entry("1", "ann"))
            await driver.leave(topic, "1")
            again = await driver.enter(topic, entry("2", "ann"))
            assert (again.returned, again.user_returned) == (held, held)
            assert not await driver.confirm(topic)
            await driver.leave(topic, "2")
            assert await driver.confirm(topic) is held
            assert await driver.confirm(topic, "ann") is held
            assert not await driver.confirm(topic)
            assert not await driver.confirm(topic, "ann")
        await driver.stop()

    run(scene)


def test_any_order_of_joins_and_leaves_adds_up(redis: RedisServer) -> None:
    """Each first one has its last one, for topics and for users, whatever two servers do at the same time."""

    async def scene() -> None:
        prefix = f"p{next(NAMES)}"
        servers = [of_redis(redis, prefix) for _ in range(2)]
        for driver in servers:
            await driver.start(lambda _: 0)
        balance: Counter[tuple[str, str]] = Counter()

        async def client(number: int) -> None:
            decide = Random(number)
            driver = servers[number % 2]
            for _ in range(20):
                topic = f"t{decide.randrange(3)}"
                user = decide.choice(["", "ann", "bob", "carl"])
                entered = await driver.enter(topic, entry(str(number), user))
                balance[(topic, "")] += entered.first
                balance[(topic, user)] += entered.first_of_user
                left = await driver.leave(topic, str(number))
                balance[(topic, "")] -= left.last
                balance.subtract((topic, user) for user in left.users)

        await asyncio.gather(*(client(number) for number in range(30)))
        assert not any(balance.values())
        assert list(await servers[0].counts(["t0", "t1", "t2"])) == [0, 0, 0]
        assert await servers[0]._redis.keys(f"{prefix}:users:*") == []
        await servers[0].stop()
        await asyncio.gather(*(servers[1].enter("t", entry("1")) for _ in range(2)))
        assert len(await servers[1]._redis.keys(f"{prefix}:topics:*")) == 1
        await servers[1].leave("t", "1")
        assert await servers[1]._redis.keys(f"{prefix}:topics:*") == []
        await servers[1].stop()

    run(scene)


class Events:
    """The calls that the owner of a driver gets."""

    def __init__(self, driver: RedisDriver) -> None:
        self.departed: asyncio.Queue[tuple[str, Left]] = asyncio.Queue()
        self.entered: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        driver.on_departed = lambda topic, left: self.departed.put_nowait((topic, left))
        driver.on_entrance = lambda topic, member, _: self.entered.put_nowait((topic, member.user))


def test_one_of_the_others_sees_what_a_killed_server_leaves(redis: RedisServer) -> None:
    async def scene() -> None:
        prefix = f"p{next(NAMES)}"
        victim, one, two = (of_redis(redis, prefix, lease=5.0) for _ in range(3))
        events = [Events(one), Events(two)]
        for driver in (victim, one, two):
            await driver.start(lambda _: 0)
        await victim.enter("t", entry("1", "ann"))
        await victim.enter("t", entry("2", "bob"))
        await victim.enter("u", entry("1"))
        await one.enter("t", entry("3", "bob"))
        await kill(victim)
        found = {}
        while len(found) < 2:
            waiting = [asyncio.ensure_future(each.departed.get()) for each in events]
            done, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in late:
                task.cancel()
            for task in done:
                topic, left = task.result()
                assert topic not in found
                found[topic] = left
        assert found == {
            "t": Left(count=1, last=False, users=("ann",)),
            "u": Left(count=0, last=True),
        }
        assert [member.user for member in await one.members("t")] == ["bob"]
        while await one._redis.execute("SMEMBERS", f"{prefix}:{{servers}}:dead"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert all(each.departed.empty() for each in events)
        await one.stop()
        await two.stop()

    run(scene)


def test_a_server_that_was_taken_for_dead_enters_its_connections_again(redis: RedisServer) -> None:
    async def scene() -> None:
        prefix = f"p{next(NAMES)}"
        one, two = of_redis(redis, prefix, lease=5.0), of_redis(redis, prefix, lease=5.0)
        events, others = Events(one), Events(two)
        await one.start(lambda _: 0)
        await two.start(lambda _: 0)
        await one.enter("t", entry("1", "ann"))
        assert one._renewing is not None
        one._renewing.cancel()  # it hangs
        assert (await others.departed.get()) == ("t", Left(count=0, last=True, users=("ann",)))
        one._renewing = asyncio.ensure_future(one._renew())
        assert (await events.entered.get()) == ("t", "ann")
        assert [member.user for member in await two.members("t")] == ["ann"]
        assert (await one.leave("t", "1")) == Left(count=0, last=True, users=("ann",))
        await one.stop()
        await two.stop()

    run(scene)


def test_what_redis_has_lost_in_a_failover_it_is_told_again(tmp_path: Path) -> None:
    async def scene() -> None:
        with redis_server(tmp_path) as redis:
            driver = of_redis(redis, "p")
            events = Events(driver)
            await driver.start(lambda _: 0)
            await driver.enter("t", entry("1", "ann"))
            await driver.enter("t", entry("2", "bob"))
            leases = "p:{servers}:leases"
            [server, score] = await driver._redis.execute("ZRANGE", leases, 0, -1, "WITHSCORES")
            redis.program.kill()
            redis.program.start()  # without its data, but for the lease: as a replica that was behind
            redis.wait_for("PING", "PONG")
            while True:
                try:
                    await driver._redis.execute("ZADD", leases, score, server)
                    break
                except StoreError:
                    await asyncio.sleep(0.02)
            assert (await events.entered.get()) == ("t", "ann")
            assert (await events.entered.get()) == ("t", "bob")
            assert events.entered.empty()
            assert len(await driver.members("t")) == 2
            await driver.stop()

    run(scene)


def test_what_redis_has_missed_it_learns_later(tmp_path: Path) -> None:
    async def scene() -> None:
        with redis_server(tmp_path) as redis:
            driver = RedisDriver(
                RedisConfig(addrs=[redis.address], max_retries=-1, dial_timeout=1.0), "p", no_history, lease=1.0
            )
            events = Events(driver)
            await driver.start(lambda _: 0)
            await driver.enter("t", entry("1", "ann"))
            redis.program.kill()
            with pytest.raises(StoreError):
                await driver.leave("t", "1")
            with pytest.raises(StoreError):
                await driver.enter("t", entry("2", "bob"))
            redis.program.start()
            redis.wait_for("PING", "PONG")
            assert (await events.entered.get()) == ("t", "bob")
            assert [member.user for member in await driver.members("t")] == ["bob"]
            await driver.stop()

    run(scene)
