"""A process for each call, with fake workers in virtual time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.debug_pool import DebugPool
from pyroadrunner.workers.errors import (
    ExecTimeout,
    LeaseEnded,
    PoolClosed,
    QueueFull,
    WorkerCrashed,
    WorkerFailed,
    WorkerRefused,
    WorkerStartError,
)
from pyroadrunner.workers.events import PoolEvent, WorkerGone, WorkerReady
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import MAX_ATTEMPTS
from pyroadrunner.workers.state import State
from support.fake_workers import FakeProcess, FakeSpawner
from support.pools import pool_config
from support.virtual_time import in_virtual_time, turns


@asynccontextmanager
async def debug_pool(spawner: FakeSpawner | None = None, **keys: Any) -> AsyncIterator[tuple[DebugPool, FakeSpawner]]:
    spawner = spawner or FakeSpawner()
    pool = DebugPool("test", pool_config(**{"debug": True, **keys}), spawner)
    try:
        yield pool, spawner
    finally:
        await pool.destroy(0.0)
        await turns()
        assert spawner.running() == []


def call(target: DebugPool | Lease, body: bytes = b"ping", **options: Any) -> asyncio.Task[Reply]:
    return asyncio.create_task(target.exec(Payload(b"context", body, Codec.RAW), **options))


# -- calls -------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_each_call_gets_a_process_of_its_own_which_is_stopped_after_its_reply() -> None:
    async with debug_pool() as (pool, spawner):
        assert await pool.workers() == []
        tasks = [call(pool, b"1"), call(pool, b"2")]
        await turns()
        assert [info.status_str for info in await pool.workers()] == ["working", "working"]
        for process in spawner.processes:
            process.answer()
        assert [(await task).body for task in tasks] == [b"1", b"2"]
        await turns()
        assert await pool.workers() == []


@in_virtual_time
async def test_a_stream_ends_before_its_process_is_stopped() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        [process] = spawner.processes
        process.stream(b"1")
        stream = (await task).stream
        assert stream is not None
        await asyncio.sleep(1)
        assert spawner.running() == [process]
        process.stream(b"2", last=True)
        assert [chunk.body async for chunk in stream] == [b"2"]
        await asyncio.sleep(1)
        assert spawner.running() == []


@in_virtual_time
async def test_an_error_frame_fails_the_call_and_the_process_is_stopped() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        spawner.processes[0].answer_error("no")
        with pytest.raises(WorkerFailed):
            await task
        await asyncio.sleep(1)
        assert spawner.running() == []


@in_virtual_time
async def test_a_process_that_fails_to_start_fails_the_call() -> None:
    async with debug_pool() as (pool, spawner):
        spawner.failing = 1
        with pytest.raises(WorkerStartError):
            await call(pool)


@in_virtual_time
async def test_a_crash_fails_its_call_and_no_other() -> None:
    async with debug_pool() as (pool, spawner):
        crashing, other = call(pool, b"1"), call(pool, b"2")
        await turns()
        spawner.processes[0].exit(255)
        with pytest.raises(WorkerCrashed):
            await crashing
        spawner.processes[1].answer()
        assert (await other).body == b"2"


@in_virtual_time
async def test_one_call_above_max_queue_size_is_refused() -> None:
    async with debug_pool(max_queue_size=1) as (pool, spawner):
        task = call(pool)
        await turns()
        with pytest.raises(QueueFull):
            await call(pool)
        spawner.processes[0].answer()
        await task


@in_virtual_time
async def test_a_call_handed_back_gets_another_process() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool, b"again")
        await turns()
        spawner.processes[0].hand_back()
        await turns()
        spawner.processes[1].answer()
        assert (await task).body == b"again"


@in_virtual_time
async def test_a_call_that_every_process_hands_back_fails() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        for attempt in range(MAX_ATTEMPTS):
            await turns()
            spawner.processes[attempt].hand_back()
        with pytest.raises(WorkerRefused):
            await task


@in_virtual_time
async def test_a_cancelled_call_that_is_handed_back_gets_no_other_process() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        task.cancel()
        await turns()
        spawner.processes[0].hand_back()
        await asyncio.sleep(1)
        assert len(spawner.processes) == 1


@pytest.mark.parametrize("on_cancel", OnCancel)
@in_virtual_time
async def test_on_cancel_decides_whether_the_process_of_a_cancelled_call_is_killed(on_cancel: OnCancel) -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool, on_cancel=on_cancel)
        await turns()
        task.cancel()
        await asyncio.sleep(1)
        [process] = spawner.processes
        assert process.child.signals == ([signal.SIGKILL] if on_cancel is OnCancel.KILL else [])
        if on_cancel is OnCancel.FINISH:
            process.answer()
            await asyncio.sleep(1)
            assert process.child.exited.result() == 0


@in_virtual_time
async def test_a_call_cancelled_while_its_process_starts_leaves_none() -> None:
    async with debug_pool(FakeSpawner(boot=5.0)) as (pool, spawner):
        task = call(pool)
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(10)
        assert spawner.processes == []


# -- exec_ttl ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_exec_ttl_kills_the_process_and_counts_from_its_start() -> None:
    async with debug_pool(FakeSpawner(boot=10.0), supervisor={"exec_ttl": "2s"}) as (pool, spawner):
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(ExecTimeout):
            await call(pool)
        assert loop.time() - began == pytest.approx(12.0, abs=0.1)
        assert spawner.running() == []


@in_virtual_time
async def test_a_call_may_have_a_timeout_of_its_own() -> None:
    async with debug_pool() as (pool, _):
        with pytest.raises(ExecTimeout):
            await call(pool, timeout=1.0)


@in_virtual_time
async def test_a_new_exec_ttl_applies_to_running_calls() -> None:
    async with debug_pool() as (pool, _):
        task = call(pool)
        await asyncio.sleep(1)
        pool.reconfigure(pool_config(debug=True, supervisor={"exec_ttl": "2s"}))
        with pytest.raises(ExecTimeout):
            await task


# -- leases ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_lease_keeps_its_process_for_several_calls() -> None:
    async with debug_pool() as (pool, spawner):
        async with pool.lease() as lease:
            for body in (b"1", b"2"):
                task = call(lease, body)
                await turns()
                [process] = spawner.processes
                process.answer()
                assert (await task).body == body
            assert process.worker.state is State.READY
        await turns()
        assert spawner.running() == []


@in_virtual_time
async def test_a_leased_process_runs_one_call_at_a_time() -> None:
    async with debug_pool() as (pool, spawner), pool.lease() as lease:
        task = call(lease)
        await turns()
        with pytest.raises(RuntimeError, match="one call at a time"):
            await call(lease)
        spawner.processes[0].answer()
        await task


@in_virtual_time
async def test_a_lease_whose_process_fails_to_start_gets_the_error() -> None:
    async with debug_pool() as (pool, spawner):
        spawner.failing = 1
        with pytest.raises(WorkerStartError):
            async with pool.lease():
                pass


@in_virtual_time
async def test_a_crash_ends_the_lease() -> None:
    async with debug_pool() as (pool, spawner), pool.lease() as lease:
        spawner.processes[0].exit(1)
        assert await lease.ended == "errored"
        with pytest.raises(LeaseEnded):
            await call(lease)


@in_virtual_time
async def test_a_receiver_gets_a_lease_and_submits_calls() -> None:
    class Holder:
        def on_lease(self, lease: Lease) -> None:
            self.lease = lease
            lease.submit(Payload(b"context", b"ping", Codec.RAW), self)

        def on_reply(self, reply: Reply) -> None:
            self.body = bytes(reply.body)

        def on_error(self, error: Exception) -> None:
            raise error

        def describe(self) -> str:
            return ""

    async with debug_pool() as (pool, spawner):
        holder = Holder()
        pool.request_lease(holder)
        await turns()
        spawner.processes[0].answer()
        assert holder.body == b"ping"
        holder.lease.release()
        await turns()
        assert spawner.running() == []


@in_virtual_time
async def test_a_lease_cancelled_while_its_process_starts_leaves_none() -> None:
    async with debug_pool(FakeSpawner(boot=5.0)) as (pool, spawner):
        task = asyncio.create_task(pool.lease().__aenter__())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(10)
        assert spawner.running() == []


# -- events and statistics ---------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_process_is_an_event_when_it_starts_and_when_it_ends() -> None:
    async with debug_pool() as (pool, spawner):
        events: list[PoolEvent] = []
        pool.subscribe(events.append)
        task = call(pool)
        await turns()
        spawner.processes[0].answer()
        await task
        await turns()
        pid = spawner.processes[0].pid
        assert events == [WorkerReady("test", pid), WorkerGone("test", pid, "maxJobsReached", 0)]


@in_virtual_time
async def test_stats_count_the_processes_that_run() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        assert (await pool.stats()).states == {State.WORKING: 1}
        spawner.processes[0].answer()
        await task


# -- destroy -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_destroy_waits_for_calls_and_refuses_new_ones() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        destroying = asyncio.create_task(pool.destroy(10.0))
        await asyncio.sleep(1)
        with pytest.raises(PoolClosed):
            await call(pool)
        with pytest.raises(PoolClosed):
            async with pool.lease():
                pass
        spawner.processes[0].answer()
        assert (await task).body == b"ping"
        await destroying


@in_virtual_time
async def test_destroy_waits_for_streams() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        spawner.processes[0].stream(b"1")
        stream = (await task).stream
        assert stream is not None
        destroying = asyncio.create_task(pool.destroy(10.0))
        await asyncio.sleep(3)
        spawner.processes[0].stream(b"2", last=True)
        assert [chunk.body async for chunk in stream] == [b"2"]
        loop = asyncio.get_running_loop()
        began = loop.time()
        await destroying
        assert loop.time() - began < 1.0


@in_virtual_time
async def test_destroy_ends_leases_and_waits_for_their_release() -> None:
    async with debug_pool() as (pool, spawner):
        async with pool.lease() as lease:
            task = call(lease)
            await turns()
            destroying = asyncio.create_task(pool.destroy(10.0))
            assert await lease.ended == "the pool is stopping"
            spawner.processes[0].answer()
            assert (await task).body == b"ping"
        loop = asyncio.get_running_loop()
        began = loop.time()
        await destroying
        assert loop.time() - began < 1.0


@in_virtual_time
async def test_destroy_stops_running_calls_when_the_grace_is_over() -> None:
    async with debug_pool() as (pool, spawner):
        task = call(pool)
        await turns()
        spawner.processes[0].stops_on_order = False
        await asyncio.wait_for(pool.destroy(3.0), 5.0)
        with pytest.raises(WorkerCrashed):
            await task
        assert spawner.running() == []


@in_virtual_time
async def test_no_process_starts_once_the_grace_is_over() -> None:
    async with debug_pool(FakeSpawner(boot=5.0)) as (pool, spawner):
        task, lease = call(pool), asyncio.create_task(pool.lease().__aenter__())
        await asyncio.sleep(1)
        await pool.destroy(1.0)
        for waiting in (task, lease):
            with pytest.raises(PoolClosed):
                await waiting
        await asyncio.sleep(10)
        assert spawner.running() == []


@in_virtual_time
async def test_a_call_handed_back_after_the_grace_fails() -> None:
    def ignore_stop(process: FakeProcess) -> None:
        process.stops_on_order, process.child.deaf = False, True

    async with debug_pool() as (pool, spawner):
        spawner.on_spawn = ignore_stop
        task = call(pool)
        await turns()
        destroying = asyncio.create_task(pool.destroy(1.0))
        await asyncio.sleep(1.5)
        spawner.processes[0].hand_back()
        with pytest.raises(PoolClosed):
            await task
        await destroying
        assert len(spawner.processes) == 1
