"""Starts and replacements of workers, with fake workers in virtual time."""

from __future__ import annotations

import asyncio

from pyroadrunner.workers.payload import Codec, Payload
from pyroadrunner.workers.state import State
from support.fake_workers import FakeProcess, FakeSpawner, fake_pool
from support.virtual_time import run_virtual, turns


async def states(pool: object) -> list[str]:
    return [info.status_str for info in await pool.workers()]  # type: ignore[attr-defined]


def test_a_worker_that_exits_while_another_starts_is_replaced() -> None:
    async def main() -> None:
        spawner = FakeSpawner()

        def exit_at_once(process: FakeProcess) -> None:
            if spawner.attempts == 1:
                process.exit(1)
                spawner.boot = 5.0  # the next one starts slowly

        spawner.on_spawn = exit_at_once
        async with fake_pool(spawner, num_workers=2) as (pool, _):
            await asyncio.sleep(30)
            assert await states(pool) == ["ready", "ready"]

    run_virtual(main())


def test_workers_that_crash_before_a_reply_are_replaced_with_growing_pauses() -> None:
    async def main() -> None:
        async with fake_pool(allocate_timeout="1000s") as (pool, spawner):

            async def client() -> None:
                while True:
                    try:
                        await pool.exec(Payload(b"context", b"x", Codec.RAW))
                    except Exception:
                        await asyncio.sleep(0)

            clients = [asyncio.create_task(client()) for _ in range(4)]
            for _ in range(600):  # a minute: each crashes during its first call
                await asyncio.sleep(0.1)
                for process in spawner.running():
                    if process.requests:
                        process.exit(255)
            assert spawner.attempts < 40  # 600 without pauses
            for task in clients:
                task.cancel()

    run_virtual(main())


def test_a_worker_that_has_answered_is_replaced_immediately() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            for _ in range(5):
                task = asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW)))
                await turns()
                spawner.processes[-1].answer()
                await task
                spawner.processes[-1].exit(255)
                await turns()
                assert spawner.processes[-1].worker.state is State.READY

    run_virtual(main())
