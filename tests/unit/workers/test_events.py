"""The events that subscribers of a pool get, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.events import PoolEvent, ResetBegan, ResetEnded, WorkerGone, WorkerReady
from pyroadrunner.workers.payload import Codec, Payload
from support.fake_workers import fake_pool
from support.log import logged
from support.virtual_time import run_virtual, turns


def test_a_crash_is_an_event_with_pid_cause_and_exit_status() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            events: list[PoolEvent] = []
            unsubscribe = pool.subscribe(events.append)
            spawner.processes[0].exit(7)
            await asyncio.sleep(2)
            old, new = (process.pid for process in spawner.processes)
            assert events == [WorkerGone("test", old, "errored", 7), WorkerReady("test", new)] or events == [
                WorkerReady("test", new),
                WorkerGone("test", old, "errored", 7),
            ]
            unsubscribe()
            unsubscribe()
            spawner.processes[1].exit(7)
            await asyncio.sleep(2)
            assert len(events) == 2

    run_virtual(main())


def test_the_cause_is_the_first_state_in_which_the_worker_took_no_more_calls() -> None:
    async def main() -> None:
        async with fake_pool(max_jobs=1) as (pool, spawner):
            events: list[PoolEvent] = []
            pool.subscribe(events.append)
            task = asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW)))
            await turns()
            spawner.processes[0].answer()
            await task
            await asyncio.sleep(1)
            assert WorkerGone("test", spawner.processes[0].pid, "maxJobsReached", 0) in events

    run_virtual(main())


def test_a_reset_is_an_event_when_it_begins_and_when_it_ends() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            events: list[PoolEvent] = []
            pool.subscribe(events.append)
            await pool.reset()
            assert events[0] == ResetBegan("test")
            assert events[-1] == ResetEnded("test")
            assert WorkerGone("test", spawner.processes[0].pid, "invalid", 0) in events
            spawner.failing = -1
            with pytest.raises(WorkerStartError):
                await pool.reset()
            assert isinstance(events[-1], ResetEnded)
            assert "it fails to start" in events[-1].error

    run_virtual(main())


def test_a_subscriber_that_raises_affects_neither_the_pool_nor_the_others() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, _):
            events: list[PoolEvent] = []

            def fail(_event: PoolEvent) -> None:
                raise RuntimeError("an error of a plugin")

            pool.subscribe(fail)
            pool.subscribe(events.append)
            await pool.reset()
            assert ResetEnded("test") in events

    with logged("server") as log:
        run_virtual(main())
    assert log.of("a listener of pool events failed")
