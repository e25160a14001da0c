"""When workers are added and when they are stopped again: the policy alone, then a pool of fake workers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyroadrunner.workers.config import DynamicAllocatorConfig
from pyroadrunner.workers.dynamic_allocator import MAX_BACKOFF, MIN_BACKOFF, ScalingPolicy
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import Pool
from support.fake_workers import FakeSpawner, fake_pool
from support.log import logged
from support.pools import pool_config
from support.virtual_time import in_virtual_time

WAIT = 0.1
BASE = 2  # workers of the pool without the added ones


@pytest.fixture
def policy() -> ScalingPolicy:
    return ScalingPolicy(DynamicAllocatorConfig(max_workers=8, spawn_rate=5, idle_timeout=60.0, scale_up_wait=WAIT))


def grow(policy: ScalingPolicy, now: float, waited: float = WAIT, queued: int = 50, room: int = 400) -> int:
    return policy.grow(now, waited=waited, queued=queued, room=room)


def grown(policy: ScalingPolicy, now: float = 100.0) -> ScalingPolicy:
    """The policy after it has added all workers, from ``now`` on."""
    while count := grow(policy, now):
        policy.on_started(now, count)
        now += WAIT
    return policy


def shrink(policy: ScalingPolicy, now: float, needed: int = 0) -> int:
    return policy.shrink(now, needed=needed, workers=BASE + policy.added)


# -- up ----------------------------------------------------------------------------------------------------------------


def test_no_worker_is_added_before_a_call_has_waited(policy: ScalingPolicy) -> None:
    assert grow(policy, 100.0, WAIT / 2) == 0
    assert (policy.added, policy.starting) == (0, 0)


def test_workers_are_added_at_the_spawn_rate_up_to_the_maximum(policy: ScalingPolicy) -> None:
    assert grow(policy, 100.0) == 5
    policy.on_started(101.0, 5)
    assert grow(policy, 101.0 + 2 * WAIT) == 3
    policy.on_started(102.0, 3)
    assert grow(policy, 103.0) == 0
    assert (policy.added, policy.added_total) == (8, 8)


@pytest.mark.parametrize(("queued", "room", "count"), [(1, 400, 1), (3, 400, 3), (50, 2, 2), (50, 0, 0), (50, -1, 0)])
def test_no_more_workers_are_added_than_calls_wait_or_the_pool_may_have(
    policy: ScalingPolicy, queued: int, room: int, count: int
) -> None:
    assert grow(policy, 100.0, queued=queued, room=room) == count


def test_the_next_workers_are_added_only_when_the_last_had_time_to_help(policy: ScalingPolicy) -> None:
    assert grow(policy, 100.0) == 5
    assert grow(policy, 130.0, 30.0) == 0
    policy.on_started(130.0, 5)
    assert grow(policy, 130.0 + WAIT / 2, 30.0) == 0
    assert grow(policy, 130.0 + WAIT, 30.0) == 3


def test_failed_starts_are_retried_with_growing_pauses(policy: ScalingPolicy) -> None:
    now, pauses = 100.0, []
    for _ in range(8):
        assert grow(policy, now, 60.0) == 5
        policy.on_started(now, 0)
        began = now
        while not grow(policy, now, 60.0):
            now += 0.25
        policy.starting = 0
        pauses.append(now - began)
    assert pauses[:3] == [MIN_BACKOFF, 2 * MIN_BACKOFF, 4 * MIN_BACKOFF]
    assert pauses[-1] == MAX_BACKOFF
    assert policy.added == 0


def test_the_workers_of_a_batch_that_started_count_and_a_success_ends_the_pause(policy: ScalingPolicy) -> None:
    grow(policy, 100.0)
    policy.on_started(100.0, 3)
    assert policy.added == 3
    assert grow(policy, 100.5) == 0
    assert grow(policy, 100.0 + MIN_BACKOFF) == 5
    policy.on_started(101.0, 5)
    assert policy.added == 8
    assert grow(policy, 102.0) == 0


# -- down --------------------------------------------------------------------------------------------------------------


def test_added_workers_are_stopped_in_steps_after_idle_timeout(policy: ScalingPolicy) -> None:
    grown(policy, 100.0)
    last = 100.0 + WAIT
    assert shrink(policy, last + 59.0) == 0
    assert shrink(policy, last + 60.0) == 5
    assert shrink(policy, last + 61.0) == 0
    assert shrink(policy, last + 119.0) == 0
    assert shrink(policy, last + 120.0) == 3
    assert shrink(policy, last + 500.0) == 0
    assert (policy.added, policy.removed_total) == (0, 8)


def test_workers_that_the_busiest_moment_needed_stay(policy: ScalingPolicy) -> None:
    grown(policy, 100.0)
    assert shrink(policy, 130.0, needed=7) == 0
    assert shrink(policy, 161.0, needed=1) == 3  # of 10 workers, 7 were needed
    assert shrink(policy, 170.0, needed=7) == 0
    assert shrink(policy, 222.0, needed=1) == 0
    assert shrink(policy, 283.0, needed=1) == 5  # a minute in which one was enough
    assert policy.added == 0


def test_no_worker_is_stopped_while_calls_wait(policy: ScalingPolicy) -> None:
    grown(policy, 100.0)
    assert shrink(policy, 200.0, needed=30) == 0
    assert policy.added == 8


def test_a_pool_without_added_workers_never_shrinks(policy: ScalingPolicy) -> None:
    assert policy.shrink(1000.0, needed=0, workers=BASE) == 0


def test_a_steady_load_between_the_sizes_does_not_oscillate(policy: ScalingPolicy) -> None:
    """Six calls at any time and a pool of two: it grows once."""
    changes = []
    for tick in range(100_000):
        now = tick * 0.05
        workers = BASE + policy.added
        queued = max(0, 6 - workers)
        if count := policy.grow(now, waited=0.2 if queued else 0.0, queued=queued, room=400):
            policy.on_started(now, count)
            changes.append(count)
        if count := policy.shrink(now, needed=6, workers=BASE + policy.added):
            changes.append(-count)
    assert changes == [4]


# -- reconfigured ------------------------------------------------------------------------------------------------------


def test_workers_above_a_new_limit_are_stopped_immediately(policy: ScalingPolicy) -> None:
    grown(policy, 100.0)
    policy.reconfigure(DynamicAllocatorConfig(max_workers=6))
    assert shrink(policy, 101.0, needed=50) == 2
    policy.reconfigure(None)
    assert shrink(policy, 102.0, needed=50) == 6
    assert grow(policy, 200.0) == 0


# -- a pool ------------------------------------------------------------------------------------------------------------

KEYS: dict[str, Any] = {
    "max_queue_size": 0,
    "allocate_timeout": "600s",
    "dynamic_allocator": {"max_workers": 6, "spawn_rate": 2, "idle_timeout": "10s", "scale_up_wait": "0.1s"},
}


def calls(pool: Pool, count: int) -> list[asyncio.Task[Reply]]:
    return [asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW))) for _ in range(count)]


async def answer_all(spawner: FakeSpawner, tasks: list[asyncio.Task[Reply]]) -> None:
    while not all(task.done() for task in tasks):
        for process in spawner.running():
            if process.requests:
                process.answer()
        await asyncio.sleep(0.01)


@in_virtual_time
async def test_a_pool_grows_in_steps_up_to_its_limit_while_calls_wait() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        tasks = calls(pool, 20)
        sizes = []
        for _ in range(30):
            await asyncio.sleep(0.1)
            sizes.append(len(spawner.running()))
        assert sorted(set(sizes)) == [1, 3, 5, 7]
        assert (await pool.stats()).added == 6
        await answer_all(spawner, tasks)


@in_virtual_time
async def test_a_pool_whose_calls_do_not_wait_does_not_grow() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        for _ in range(100):
            await answer_all(spawner, calls(pool, 1))
        assert len(spawner.processes) == 1


@in_virtual_time
async def test_a_pool_shrinks_in_steps_after_idle_timeout() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        tasks = calls(pool, 20)
        await asyncio.sleep(3)
        await answer_all(spawner, tasks)
        sizes = []
        for _ in range(80):
            await asyncio.sleep(0.5)
            sizes.append(len(spawner.running()))
        assert sorted(set(sizes)) == [1, 3, 5, 7]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[15] == 7
        stats = await pool.stats()
        assert (stats.added, stats.scale_ups, stats.scale_downs) == (0, 6, 6)


@in_virtual_time
async def test_a_surplus_worker_finishes_its_call_before_it_is_stopped() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        tasks = calls(pool, 3)
        await asyncio.sleep(3)
        assert len(spawner.running()) == 3
        pool.reconfigure(pool_config(**KEYS | {"num_workers": 1, "dynamic_allocator": None}))
        await asyncio.sleep(1)
        assert len(spawner.running()) == 3
        await answer_all(spawner, tasks)
        await asyncio.sleep(1)
        assert len(spawner.running()) == 1


@in_virtual_time
async def test_failed_starts_of_a_pool_are_retried_with_growing_pauses_and_logged() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        spawner.failing = -1
        with logged("server") as log:
            tasks = calls(pool, 20)
            await asyncio.sleep(20)
        lines = log.of("workers could not be added")
        assert len(lines) == 5  # at 0.1, 1.1, 3.1, 7.1 and 15.1 s
        assert {line["added"] for line in lines} == {0}
        spawner.failing = 0
        await asyncio.sleep(20)
        assert len(spawner.running()) == 7
        await answer_all(spawner, tasks)


@in_virtual_time
async def test_a_failed_start_does_not_stop_the_others_of_its_batch() -> None:
    async with fake_pool(**KEYS) as (pool, spawner):
        spawner.failing = 1
        tasks = calls(pool, 20)
        await asyncio.sleep(0.5)
        assert len(spawner.running()) == 2
        await answer_all(spawner, tasks)
