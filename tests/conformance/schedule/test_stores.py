"""The contract of all stores of ``schedule``: two servers share the memory, the file, or the Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from pyroadrunner.plugins.schedule.run import LEASE, Run, Trigger
from pyroadrunner.plugins.schedule.store import KEPT, Answer, Store
from pyroadrunner.plugins.schedule.stores.file import FileStore
from pyroadrunner.plugins.schedule.stores.memory import MemoryStore
from pyroadrunner.plugins.schedule.stores.redis import RedisStore
from pyroadrunner.remote.redis.config import RedisConfig
from support.redis import RedisServer, redis_cluster, redis_server

NOW = 1_780_000_000_000
Stores = Callable[[], Awaitable[tuple[Store, Store]]]
Scene = Callable[[Store, Store], Awaitable[None]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[RedisServer]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture(params=["memory", "file", "redis", "redis-cluster"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scene], None]:
    """Runs a scenario with the stores of two servers; ten runs of each entry are kept."""

    @asynccontextmanager
    async def stores() -> AsyncIterator[tuple[Store, Store]]:
        pair: tuple[Store, Store]
        if request.param == "memory":
            one = MemoryStore(10)
            pair = one, one
        elif request.param == "file":
            pair = FileStore(str(tmp_path / "state.db"), 10), FileStore(str(tmp_path / "state.db"), 10)
        else:
            clustered = request.param == "redis-cluster"
            servers = request.getfixturevalue("cluster") if clustered else [request.getfixturevalue("redis")]
            config = RedisConfig(addrs=[server.address for server in servers])
            prefix = uuid.uuid4().hex
            pair = RedisStore(config, prefix, 10), RedisStore(config, prefix, 10)
        for store in pair:
            await store.start()
        try:
            yield pair
        finally:
            for store in pair:
                await store.stop()

    async def running(scene: Scene) -> None:
        async with stores() as (one, other):
            await scene(one, other)

    return lambda scene: asyncio.run(running(scene))


def run(slot: int = NOW, trigger: Trigger = "schedule", entry: str = "report") -> Run:
    return Run(
        id=uuid.uuid4().hex, entry=entry, slot=slot, trigger=trigger, server="test", began=slot + 5, alive=slot + 5
    )


def ended(one: Run) -> Run:
    return replace(one, ended=one.began + 10, outcome="ok", detail="done")


def test_of_many_that_ask_for_a_slot_one_runs_it(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        for overlap in ("allow", "skip", "queue"):
            runs = [run(entry=overlap) for _ in range(20)]
            stores = [one, other] * 10
            answers = await asyncio.gather(
                *(store.begin(each, overlap) for store, each in zip(stores, runs, strict=True))
            )
            assert answers.count(Answer.RUN) == 1
            assert answers.count(Answer.TAKEN) == 19

    play(scene)


def test_a_claim_is_idempotent(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        mine = run()
        assert [await store.begin(mine, "skip") for store in (one, other, one)] == [Answer.RUN] * 3
        assert await one.begin(run(), "skip") is Answer.TAKEN
        assert len(await one.history("report", 10)) == 1

    play(scene)


def test_a_run_is_skipped_while_another_is_running(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        first, second, third = run(), run(NOW + 1000), run(NOW + 2000)
        assert await one.begin(first, "skip") is Answer.RUN
        assert await other.begin(second, "skip") is Answer.SKIPPED
        await one.finish(ended(first))
        assert await one.begin(run(NOW + 1000), "skip") is Answer.TAKEN
        assert await other.begin(third, "skip") is Answer.RUN
        history = await one.history("report", 10)
        assert [(each.slot - NOW, each.outcome) for each in history] == [
            (2000, "running"),
            (1000, "skipped"),
            (0, "ok"),
        ]

    play(scene)


def test_a_queued_run_claims_nothing_until_it_runs(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        first, second, rival = run(), run(NOW + 1000), run(NOW + 1000)
        assert await one.begin(first, "queue") is Answer.RUN
        assert await other.begin(second, "queue") is Answer.WAIT
        assert await one.begin(rival, "queue") is Answer.WAIT
        await one.finish(ended(first))
        assert await one.begin(rival, "queue") is Answer.RUN
        assert await other.begin(second, "queue") is Answer.TAKEN

    play(scene)


def test_overlapping_runs(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        assert await one.begin(run(), "allow") is Answer.RUN
        assert await other.begin(run(NOW + 1000), "allow") is Answer.RUN

    play(scene)


def test_a_manual_run_claims_no_slot(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        manual = run(trigger="manual")
        assert await one.begin(manual, "skip") is Answer.RUN
        assert await one.begin(run(trigger="manual"), "skip") is Answer.SKIPPED
        await one.finish(ended(manual))
        assert await other.begin(run(), "skip") is Answer.RUN

    play(scene)


def test_an_unknown_entry_begins_now_and_a_claim_moves_its_newest_slot(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        assert await one.last_slots(["report", "mail"], NOW) == {"report": NOW, "mail": NOW}
        assert await other.last_slots(["report"], NOW + 99) == {"report": NOW}
        await one.begin(run(NOW + 2000), "allow")
        await other.begin(run(NOW + 1000), "allow")
        assert await other.last_slots(["report"], NOW + 99) == {"report": NOW + 2000}
        assert await one.begin(run(NOW + 1000), "allow") is Answer.TAKEN

    play(scene)


def test_the_claims_of_a_clock_that_was_wrong_by_more_than_they_are_kept_are_forgotten(
    play: Callable[[Scene], None],
) -> None:
    async def scene(one: Store, _: Store) -> None:
        await one.begin(run(NOW + 2 * KEPT), "allow")
        assert await one.begin(run(NOW), "allow") is Answer.RUN
        assert await one.begin(run(NOW), "allow") is Answer.TAKEN
        assert await one.last_slots(["report"], NOW) == {"report": NOW}

    play(scene)


def test_the_history_is_limited_and_newest_first(play: Callable[[Scene], None]) -> None:
    async def scene(one: Store, other: Store) -> None:
        for number in range(15):
            each = run(NOW + number * 1000)
            await one.begin(each, "skip")
            await one.renew(replace(each, alive=each.alive + 10))
            await one.finish(ended(each))
        found = await other.history("report", 100)
        assert [each.slot - NOW for each in found] == [number * 1000 for number in range(14, 4, -1)]
        assert {each.outcome for each in found} == {"ok"}
        assert len(await other.history("report", 3)) == 3
        assert await other.history("mail", 3) == []

    play(scene)


def test_a_file_forgets_a_server_that_has_died(tmp_path: Path) -> None:
    async def scene() -> None:
        store = FileStore(str(tmp_path / "state.db"), 10)
        await store.begin(run(), "skip")
        assert await store.begin(run(NOW + LEASE - 1000), "skip") is Answer.SKIPPED
        assert await store.begin(run(NOW + LEASE + 1000), "skip") is Answer.RUN
        await store.stop()

    asyncio.run(scene())


def test_redis_forgets_a_server_that_has_died_and_claims_after_hours(redis: RedisServer) -> None:
    async def scene() -> None:
        store = RedisStore(RedisConfig(addrs=[redis.address]), "dead", 10)
        mine = run()
        await store.begin(mine, "skip")
        await store.renew(mine)
        await store.stop()

    asyncio.run(scene())
    assert 0 < lifetime(redis, "dead:{report}:running") <= LEASE
    assert LEASE < lifetime(redis, f"dead:{{report}}:at:{NOW}") <= KEPT


def lifetime(redis: RedisServer, key: str) -> int:
    return int(redis.ask(f"PTTL {key}").removeprefix(":"))


def test_files_keep_everything_over_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        make = partial(FileStore, str(tmp_path / "state.db"), 10)
        store = make()
        await store.begin(run(), "skip")
        await store.stop()
        store = make()
        assert await store.begin(run(), "skip") is Answer.TAKEN
        assert [each.outcome for each in await store.history("report", 5)] == ["running"]
        await store.stop()

    asyncio.run(scene())
