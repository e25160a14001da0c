"""What subscribers of a pool hear, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.events import PoolEvent, ResetBegan, ResetEnded, WorkerGone, WorkerReady
from pyroadrunner.workers.payload import Codec, Payload
from support.fake_workers import fake_pool
from support.log import logged
from support.virtual_time import run_virtual, turns


def test_a_crash_is_heard_with_pid_cause_and_exit_status() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            heard: list[PoolEvent] = []
            unsubscribe = pool.subscribe(heard.append)
            spawner.processes[0].exit(7)
            await asyncio.sleep(2)
            old, new = (process.pid for process in spawner.processes)
            assert heard == [WorkerGone("test", old, "errored", 7), WorkerReady("test", new)] or heard == [
                WorkerReady("test", new),
                WorkerGone("test", old, "errored", 7),
            ]
            unsubscribe()
            unsubscribe()
            spawner.processes[1].exit(7)
            await asyncio.sleep(2)
            assert len(heard) == 2

    run_virtual(main())


def test_the_cause_is_the_first_state_in_which_the_worker_took_no_more_calls() -> None:
    async def main() -> None:
        async with fake_pool(max_jobs=1) as (pool, spawner):
            heard: list[PoolEvent] = []
            pool.subscribe(heard.append)
            task = asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW)))
            await turns()
            spawner.processes[0].answer()
            await task
            await asyncio.sleep(1)
            assert WorkerGone("test", spawner.processes[0].pid, "maxJobsReached", 0) in heard

    run_virtual(main())


def test_a_reset_is_heard_from_its_begin_to_its_end() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            heard: list[PoolEvent] = []
            pool.subscribe(heard.append)
            await pool.reset()
            assert heard[0] == ResetBegan("test")
            assert heard[-1] == ResetEnded("test")
            assert WorkerGone("test", spawner.processes[0].pid, "invalid", 0) in heard
            spawner.failing = -1
            with pytest.raises(WorkerStartError):
                await pool.reset()
            assert isinstance(heard[-1], ResetEnded)
            assert "it does not come up" in heard[-1].error

    run_virtual(main())


def test_a_subscriber_that_fails_harms_neither_the_pool_nor_the_others() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, _):
            heard: list[PoolEvent] = []

            def fail(_event: PoolEvent) -> None:
                raise RuntimeError("a plugin's fault")

            pool.subscribe(fail)
            pool.subscribe(heard.append)
            await pool.reset()
            assert ResetEnded("test") in heard

    with logged("server") as log:
        run_virtual(main())
    assert log.of("a listener of pool events failed")
