"""Limits of workers, with fake workers in virtual time."""

from __future__ import annotations

import asyncio

from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import Pool
from support.fake_workers import FakeSpawner, fake_pool
from support.virtual_time import run_virtual, turns


def call(pool: Pool) -> asyncio.Task[Reply]:
    return asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW)))


def test_a_worker_that_has_reached_its_ttl_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"ttl": "10s", "watch_tick": "1s"}) as (_, spawner):
            await asyncio.sleep(13)
            assert [process.child.exited.done() for process in spawner.processes] == [True, False]

    run_virtual(main())


def test_a_replacement_that_fails_to_start_is_retried() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"ttl": "10s", "watch_tick": "1s"}) as (_, spawner):
            await asyncio.sleep(9)
            spawner.failing = 3
            await asyncio.sleep(3)
            assert [process.child.exited.done() for process in spawner.processes] == [False]  # the old worker stays
            await asyncio.sleep(20)
            assert spawner.processes[0].child.exited.done()

    run_virtual(main())


def test_replacements_that_always_fail_are_retried_with_pauses() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=10, supervisor={"ttl": "10s", "watch_tick": "0.1s"}) as (_, spawner):
            spawner.failing = -1
            await asyncio.sleep(70)
            assert 10 < spawner.attempts < 300  # 6,000 without pauses

    run_virtual(main())


def test_an_idle_worker_that_gets_a_call_while_its_replacement_starts_stays() -> None:
    async def main() -> None:
        limits = {"idle_ttl": "5s", "watch_tick": "1s"}
        async with fake_pool(FakeSpawner(boot=2.0), supervisor=limits) as (pool, spawner):
            [worker] = spawner.processes
            first = call(pool)
            await turns()
            worker.answer()
            await first
            await asyncio.sleep(6)  # its replacement has begun to start
            assert spawner.attempts == 2
            second = call(pool)
            await asyncio.sleep(3)
            assert spawner.running() == [worker]
            worker.answer()
            await second
            await asyncio.sleep(10)  # once it is idle again, it is replaced
            assert worker.child.exited.done()
            assert len(spawner.running()) == 1

    run_virtual(main())


def test_a_worker_that_uses_too_much_memory_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"max_worker_memory": 100, "watch_tick": "1s"}) as (_, spawner):
            spawner.processes[0].worker.memory = lambda: 101 << 20  # type: ignore[method-assign]
            await asyncio.sleep(2)
            assert [process.child.exited.done() for process in spawner.processes] == [True, False]

    run_virtual(main())
