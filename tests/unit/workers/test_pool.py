"""A pool of fake workers in virtual time: which worker gets a call, and the outcome of each call."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.errors import (
    ExecTimeout,
    NoFreeWorker,
    NoSuchWorker,
    PoolClosed,
    QueueFull,
    WorkerCrashed,
    WorkerFailed,
    WorkerRefused,
)
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import MAX_ATTEMPTS, Pool
from pyroadrunner.workers.state import State
from support.fake_workers import FakeSpawner, fake_pool
from support.virtual_time import run_virtual, turns


def ask(pool: Pool, body: bytes = b"ping") -> asyncio.Task[Reply]:
    return asyncio.create_task(pool.exec(Payload(b"context", body, Codec.RAW)))


async def outcome(task: asyncio.Task[Reply]) -> bytes | type[BaseException]:
    """The body of the reply, or the type of the error."""
    try:
        return (await task).body
    except Exception as error:
        return type(error)


# -- calls -------------------------------------------------------------------------------------------------------------


def test_a_free_worker_gets_the_call_and_its_reply_is_returned() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool, b"hello")
            await turns()
            [worker] = spawner.processes
            assert worker.worker.state is State.WORKING
            worker.answer()
            reply = await task
            assert (reply.context, reply.body, reply.stream) == (b"head", b"hello", None)
            assert worker.worker.state is State.READY

    run_virtual(main())


def test_calls_wait_in_order_for_the_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            tasks = [ask(pool, b"%d" % number) for number in range(3)]
            await turns()
            [worker] = spawner.processes
            for number in range(3):
                assert len(worker.requests) == 1
                worker.answer()
                assert await outcome(tasks[number]) == b"%d" % number
                await turns()

    run_virtual(main())


def test_one_call_above_max_queue_size_is_refused_immediately() -> None:
    async def main() -> None:
        async with fake_pool(max_queue_size=2) as (pool, spawner):
            running, waiting = ask(pool), ask(pool)
            await turns()
            assert await outcome(ask(pool)) is QueueFull
            spawner.processes[0].answer()
            await running
            spawner.processes[0].answer()
            await waiting

    run_virtual(main())


def test_a_call_waits_at_most_allocate_timeout() -> None:
    async def main() -> None:
        async with fake_pool(allocate_timeout="3s") as (pool, spawner):
            running = ask(pool)
            await turns()
            began = asyncio.get_running_loop().time()
            assert await outcome(ask(pool)) is NoFreeWorker
            assert 3.0 <= asyncio.get_running_loop().time() - began <= 3.2
            spawner.processes[0].answer()
            await running

    run_virtual(main())


def test_a_cancelled_call_leaves_the_queue_and_no_worker_gets_it() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            running, leaving, staying = ask(pool, b"1"), ask(pool, b"2"), ask(pool, b"3")
            await turns()
            leaving.cancel()
            await turns()
            [worker] = spawner.processes
            worker.answer()
            await running
            worker.answer()
            assert await outcome(staying) == b"3"

    run_virtual(main())


def test_the_reply_to_a_cancelled_call_never_reaches_the_next() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            leaving = ask(pool, b"old")
            await turns()
            leaving.cancel()
            next_one = ask(pool, b"new")
            await turns()
            [worker] = spawner.processes
            assert len(worker.requests) == 1  # the cancelled one still runs
            worker.answer()
            await turns()
            worker.answer()
            assert await outcome(next_one) == b"new"

    run_virtual(main())


# -- workers that fail -------------------------------------------------------------------------------------------------


def test_a_crash_fails_its_call_and_the_worker_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            spawner.processes[0].exit(7)
            with pytest.raises(WorkerCrashed) as caught:
                await task
            assert caught.value.exit_status == 7
            task = ask(pool, b"again")
            await asyncio.sleep(1)
            spawner.processes[1].answer()
            assert await outcome(task) == b"again"

    run_virtual(main())


def test_an_error_frame_fails_the_call_and_keeps_the_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            spawner.processes[0].answer_error("no")
            assert await outcome(task) is WorkerFailed
            assert spawner.processes[0].worker.state is State.READY
            assert len(spawner.processes) == 1

    run_virtual(main())


def test_exec_ttl_kills_the_worker_and_fails_the_call() -> None:
    async def main() -> None:
        async with fake_pool(supervisor={"exec_ttl": "2s"}) as (pool, spawner):
            assert await outcome(ask(pool)) is ExecTimeout
            assert spawner.processes[0].child.exited.done()

    run_virtual(main())


def test_a_worker_that_crashes_at_exec_ttl_does_not_stop_the_check_of_others() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=2, supervisor={"exec_ttl": "2s"}) as (pool, spawner):
            crashing, hanging = ask(pool, b"crash"), ask(pool, b"hang")
            await turns()
            doomed = next(worker for worker in spawner.processes if worker.requests[0].payload.endswith(b"crash"))
            await asyncio.sleep(1.8)
            doomed.close_relay()  # its process runs on for a while, beyond its exec_ttl
            assert await outcome(crashing) is WorkerCrashed
            assert await outcome(hanging) is ExecTimeout
            assert await outcome(ask(pool)) is ExecTimeout  # later calls are checked, too

    run_virtual(main())


def test_the_timeout_of_a_call_replaces_exec_ttl() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=3, supervisor={"exec_ttl": "5s"}) as (pool, spawner):
            loop = asyncio.get_running_loop()
            began = loop.time()
            short, usual, long = (
                asyncio.create_task(pool.exec(Payload(b"context", b"x", Codec.RAW), timeout=timeout))
                for timeout in (2.0, None, 0.0)
            )
            assert await outcome(short) is ExecTimeout
            assert 2.0 <= loop.time() - began <= 2.2
            assert await outcome(usual) is ExecTimeout
            assert 5.0 <= loop.time() - began <= 5.2
            await asyncio.sleep(60)
            assert not long.done()
            next(worker for worker in spawner.running() if worker.requests).answer()
            assert await outcome(long) == b"x"

    run_virtual(main())


def test_the_timeout_of_a_call_works_without_exec_ttl() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, _):
            assert await outcome(asyncio.create_task(pool.exec(Payload(b"c", b"x"), timeout=2.0))) is ExecTimeout

    run_virtual(main())


def test_a_call_handed_back_goes_to_another_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool, b"again")
            await turns()
            spawner.processes[0].hand_back()
            await asyncio.sleep(1)
            spawner.processes[1].answer()
            assert await outcome(task) == b"again"

    run_virtual(main())


def test_a_call_handed_back_by_many_workers_fails() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            for attempt in range(MAX_ATTEMPTS):
                await asyncio.sleep(10)  # longer than any pause before a start
                spawner.processes[attempt].hand_back()
            assert await outcome(task) is WorkerRefused

    run_virtual(main())


def test_a_call_handed_back_keeps_its_age_and_its_place_before_younger_ones() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=2) as (pool, spawner):
            first, second = ask(pool, b"1"), ask(pool, b"2")
            await turns()
            await asyncio.sleep(0.5)
            third = ask(pool, b"3")
            await turns()
            one, two = spawner.processes
            spawner.failing = -1  # so that both calls have to wait
            one.hand_back()
            await turns()
            assert (await pool.stats()).waiting == pytest.approx(0.5)
            two.answer()
            assert await outcome(second) == b"2"
            assert two.requests[0].payload.endswith(b"1")
            two.answer()
            assert await outcome(first) == b"1"
            two.answer()
            assert await outcome(third) == b"3"

    run_virtual(main())


def test_time_at_a_worker_that_hands_the_call_back_does_not_count_as_waiting() -> None:
    async def main() -> None:
        async with fake_pool(allocate_timeout="3s") as (pool, spawner):
            task = ask(pool, b"long")
            await asyncio.sleep(10)
            spawner.processes[0].hand_back()
            await asyncio.sleep(1)
            spawner.processes[1].answer()
            assert await outcome(task) == b"long"

    run_virtual(main())


# -- overload ----------------------------------------------------------------------------------------------------------


def test_no_call_is_passed_over_longer_than_max_lifo_wait() -> None:
    async def main() -> None:
        async with fake_pool(queue=QueuePolicy.ADAPTIVE_LIFO, max_lifo_wait="2s", max_queue_size=0) as (pool, spawner):
            loop = asyncio.get_running_loop()
            waits: dict[bytes, float] = {}

            async def client(name: bytes) -> None:
                """Sends the next call as soon as it has a reply."""
                while loop.time() < 1060:
                    asked = loop.time()
                    await pool.exec(Payload(b"context", name, Codec.RAW))
                    waits[name] = max(waits.get(name, 0.0), loop.time() - asked)

            clients = [asyncio.create_task(client(b"%d" % number)) for number in range(300)]
            while not all(task.done() for task in clients):
                await asyncio.sleep(0.01)  # 100 calls a second for 300 clients: 3 s a round
                for worker in spawner.running():
                    if worker.requests:
                        worker.answer()
            assert max(waits.values()) < 4.5  # 14.9 s if the newest always goes first

    run_virtual(main())


def test_in_an_overload_the_newest_call_goes_first() -> None:
    async def main() -> None:
        async with fake_pool(queue=QueuePolicy.ADAPTIVE_LIFO, max_lifo_wait="5s") as (pool, spawner):
            running, old = ask(pool, b"running"), ask(pool, b"old")
            await asyncio.sleep(1.5)
            new = ask(pool, b"new")
            await turns()
            [worker] = spawner.processes
            worker.answer()
            await running
            assert worker.requests[0].payload.endswith(b"new")
            worker.answer()
            await new
            worker.answer()
            assert await outcome(old) == b"old"

    run_virtual(main())


# -- reset -------------------------------------------------------------------------------------------------------------


def test_a_reset_starts_new_workers_before_it_stops_the_old_ones() -> None:
    async def main() -> None:
        async with fake_pool(FakeSpawner(boot=1.0), num_workers=2) as (pool, spawner):
            reset = asyncio.create_task(pool.reset())
            await asyncio.sleep(0.5)
            assert [worker.worker.state for worker in spawner.running()] == [State.READY, State.READY]
            await reset
            assert len(spawner.processes) == 4
            assert all(worker.child.exited.done() for worker in spawner.processes[:2])

    run_virtual(main())


def test_a_second_reset_does_not_wait_for_busy_workers_of_the_first() -> None:
    async def main() -> None:
        async with fake_pool(reset_timeout="60s") as (pool, spawner):
            task = ask(pool, b"long")
            await turns()
            first = asyncio.create_task(pool.reset())
            await asyncio.sleep(1)
            second = asyncio.create_task(pool.reset())
            await asyncio.sleep(1)
            assert len(spawner.processes) == 3  # both have started their worker
            spawner.processes[0].answer()
            await asyncio.gather(first, second, task)

    run_virtual(main())


# -- the end -----------------------------------------------------------------------------------------------------------


def test_destroy_waits_for_streams_within_the_grace() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            [worker] = spawner.processes
            worker.stream(b"one ")
            stream = (await task).stream
            assert stream is not None
            destroying = asyncio.create_task(pool.destroy(10.0))
            await asyncio.sleep(3)
            worker.stream(b"two ")
            await asyncio.sleep(3)
            worker.stream(b"three", last=True)
            assert b"".join([chunk.body async for chunk in stream]) == b"two three"
            began = asyncio.get_running_loop().time()
            await destroying
            assert asyncio.get_running_loop().time() - began < 1.0  # and not longer

    run_virtual(main())


def test_destroy_ends_a_stream_when_the_grace_is_over() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            spawner.processes[0].stream(b"one ")
            stream = (await task).stream
            assert stream is not None
            await asyncio.wait_for(pool.destroy(5.0), 10)
            with pytest.raises(WorkerCrashed):
                [chunk async for chunk in stream]

    run_virtual(main())


def test_a_call_handed_back_after_the_grace_fails() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            [worker] = spawner.processes
            worker.stops_on_order = False
            worker.child.deaf = True
            destroying = asyncio.create_task(pool.destroy(1.0))
            await asyncio.sleep(1.2)  # the grace is over: the worker is being stopped
            worker.hand_back()
            assert await outcome(task) is PoolClosed
            await destroying

    run_virtual(main())


def test_a_call_handed_back_in_the_grace_fails_if_no_other_worker_starts() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = ask(pool)
            await turns()
            destroying = asyncio.create_task(pool.destroy(5.0))
            await turns()
            spawner.failing = -1
            spawner.processes[0].hand_back()
            assert await outcome(task) is PoolClosed
            await destroying

    run_virtual(main())


def test_a_destroyed_pool_refuses_calls() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            await pool.destroy(0.0)
            assert await outcome(ask(pool)) is PoolClosed
            assert not spawner.running()

    run_virtual(main())


# -- one worker --------------------------------------------------------------------------------------------------------


def test_a_restarted_worker_finishes_its_call_and_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            [first] = spawner.processes
            task = ask(pool, b"hello")
            await turns()
            await pool.restart_worker(first.pid)
            await turns()
            assert not task.done()
            first.answer()
            assert await outcome(task) == b"hello"
            await asyncio.sleep(1)
            [info] = await pool.workers()
            assert info.pid != first.pid

    run_virtual(main())


def test_the_call_of_a_killed_worker_fails_and_the_worker_is_replaced() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            [first] = spawner.processes
            task = ask(pool)
            await turns()
            await pool.kill_worker(first.pid)
            assert await outcome(task) is WorkerCrashed
            await asyncio.sleep(1)
            [info] = await pool.workers()
            assert info.pid != first.pid
            with pytest.raises(NoSuchWorker, match="no worker with the pid"):
                await pool.kill_worker(first.pid)
            with pytest.raises(NoSuchWorker):
                await pool.restart_worker(first.pid)

    run_virtual(main())


def test_calls_are_counted_beyond_the_life_of_their_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            for _ in range(2):
                task = ask(pool)
                await turns()
                spawner.running()[-1].answer()
                await task
                await pool.restart_worker(spawner.running()[-1].pid)
                await asyncio.sleep(1)
            assert (await pool.stats()).calls == 2

    run_virtual(main())


def test_calls_without_a_proper_reply_are_counted() -> None:
    async def main() -> None:
        async with fake_pool(max_queue_size=2, allocate_timeout="1s") as (pool, spawner):
            first, second = ask(pool), ask(pool)
            await turns()
            assert await outcome(ask(pool)) is QueueFull
            assert await outcome(second) is NoFreeWorker
            spawner.processes[0].answer_error("no")
            assert await outcome(first) is WorkerFailed
            third = ask(pool)
            await turns()
            await pool.kill_worker(spawner.running()[-1].pid)
            assert await outcome(third) is WorkerCrashed
            await asyncio.sleep(1)
            stats = await pool.stats()
            assert (stats.calls, stats.failed) == (2, 4)

    run_virtual(main())
