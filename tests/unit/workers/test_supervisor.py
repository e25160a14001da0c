"""Limits of workers, with fake workers in virtual time."""

from __future__ import annotations

import asyncio

from support.fake_workers import fake_pool
from support.virtual_time import run_virtual


def test_a_worker_that_has_reached_its_ttl_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"ttl": "10s", "watch_tick": "1s"}) as (_, spawner):
            await asyncio.sleep(13)
            assert [process.child.exited.done() for process in spawner.processes] == [True, False]

    run_virtual(main())


def test_a_replacement_that_fails_is_tried_again() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"ttl": "10s", "watch_tick": "1s"}) as (_, spawner):
            await asyncio.sleep(9)
            spawner.failing = 3
            await asyncio.sleep(3)
            assert [process.child.exited.done() for process in spawner.processes] == [False]  # better than none
            await asyncio.sleep(20)
            assert spawner.processes[0].child.exited.done()

    run_virtual(main())


def test_a_replacement_that_always_fails_is_tried_with_pauses() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=10, supervisor={"ttl": "10s", "watch_tick": "0.1s"}) as (_, spawner):
            spawner.failing = -1
            await asyncio.sleep(70)
            assert 10 < spawner.attempts < 300  # 6,000 without

    run_virtual(main())
