"""Workers held by one caller, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.errors import LeaseEnded, NoFreeWorker, PoolClosed, WorkerCrashed
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.state import State
from support.fake_workers import FakeSpawner, fake_pool
from support.virtual_time import run_virtual, turns


def payload(body: bytes = b"ping") -> Payload:
    return Payload(b"context", body, Codec.RAW)


def call(pool: Pool | Lease, body: bytes = b"ping") -> asyncio.Task[Reply]:
    return asyncio.create_task(pool.exec(payload(body)))


def test_a_leased_worker_gets_its_holders_calls_and_no_others() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            [worker] = spawner.processes
            async with pool.lease() as lease:
                assert lease.pid == worker.pid
                other = call(pool, b"other")
                for _ in range(3):
                    mine = call(lease, b"mine")
                    await turns()
                    [request] = worker.requests
                    assert request.payload.endswith(b"mine")
                    worker.answer()
                    assert (await mine).body == b"mine"
            await turns()
            worker.answer()
            assert (await other).body == b"other"

    run_virtual(main())


def test_a_lease_waits_for_a_free_worker_in_the_queue_of_the_calls() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            [worker] = spawner.processes
            order: list[str] = []

            async def leased(name: str, priority: int) -> None:
                async with pool.lease(priority=priority):
                    order.append(name)
                    await asyncio.sleep(1)

            running = call(pool)
            await turns()
            tasks = [asyncio.create_task(leased(name, priority)) for name, priority in (("b", 5), ("c", 9), ("a", 1))]
            await turns()
            worker.answer()
            await asyncio.gather(running, *tasks)
            assert order == ["a", "b", "c"]

    run_virtual(main())


def test_a_lease_waits_longer_than_allocate_timeout_unless_it_has_a_timeout_of_its_own() -> None:
    async def main() -> None:
        async with fake_pool(allocate_timeout="1s") as (pool, _):
            async with pool.lease():
                with pytest.raises(NoFreeWorker):
                    async with pool.lease(timeout=5):
                        pass
                patient = asyncio.create_task(pool.lease().__aenter__())
                await asyncio.sleep(100)
                assert not patient.done()
            (await patient).release()

    run_virtual(main())


def test_a_cancelled_wait_does_not_take_the_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease():
                waiting = asyncio.create_task(pool.lease().__aenter__())
                await turns()
                waiting.cancel()
            await turns()
            task = call(pool)
            await turns()
            spawner.processes[0].answer()
            await task

    run_virtual(main())


def test_a_wait_cancelled_in_the_turn_that_brings_its_worker_returns_it() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            first = await pool.lease().__aenter__()
            waiting = asyncio.create_task(pool.lease().__aenter__())
            await turns()
            first.release()
            waiting.cancel()
            await turns()
            task = call(pool)
            await turns()
            spawner.processes[0].answer()
            await task

    run_virtual(main())


def test_a_crash_ends_the_lease_and_fails_its_call() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease() as lease:
                task = call(lease)
                await turns()
                spawner.processes[0].exit(255)
                with pytest.raises(WorkerCrashed):
                    await task
                assert await lease.ended == "errored"
                with pytest.raises(LeaseEnded):
                    await lease.exec(payload())
            async with pool.lease() as lease:
                assert lease.pid == spawner.processes[1].pid

    run_virtual(main())


def test_max_jobs_ends_the_lease() -> None:
    async def main() -> None:
        async with fake_pool(max_jobs=1) as (pool, spawner):
            async with pool.lease() as lease:
                task = call(lease)
                await turns()
                spawner.processes[0].answer()
                await task
                assert await lease.ended == "maxJobsReached"
            await asyncio.sleep(1)
            assert [process.child.exited.done() for process in spawner.processes] == [True, False]

    run_virtual(main())


def test_a_reset_ends_leases_and_waits_for_their_release() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease() as lease:
                reset = asyncio.create_task(pool.reset())
                assert await lease.ended == "invalid"
                await asyncio.sleep(5)
                assert not reset.done()
                assert not spawner.processes[0].child.exited.done()
            await reset
            assert spawner.processes[0].child.exited.done()

    run_virtual(main())


def test_a_call_that_the_leased_worker_hands_back_fails_with_lease_ended() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease() as lease:
                task = call(lease)
                await turns()
                spawner.processes[0].hand_back()
                with pytest.raises(LeaseEnded):
                    await task
            await asyncio.sleep(1)
            async with pool.lease() as lease:
                assert lease.pid == spawner.processes[1].pid

    run_virtual(main())


def test_a_stopping_pool_ends_leases_refuses_new_ones_and_waits_for_their_calls() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease() as lease:
                waiting = asyncio.create_task(pool.lease().__aenter__())
                task = call(lease)
                await turns()
                destroying = asyncio.create_task(pool.destroy(10))
                assert await lease.ended == "the pool is stopping"
                with pytest.raises(PoolClosed):
                    await waiting
                with pytest.raises(PoolClosed):
                    async with pool.lease():
                        pass
                spawner.processes[0].answer()
                assert (await task).body == b"ping"
            began = asyncio.get_running_loop().time()
            await destroying
            assert asyncio.get_running_loop().time() - began < 1

    run_virtual(main())


def test_a_call_cancelled_in_a_lease_runs_to_its_end_before_the_worker_is_free() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            async with pool.lease() as lease:
                task = call(lease, b"old")
                await turns()
                task.cancel()
                await turns()
            other = call(pool, b"new")
            await turns()
            [worker] = spawner.processes
            assert len(worker.requests) == 1
            worker.answer()
            await turns()
            worker.answer()
            assert (await other).body == b"new"

    run_virtual(main())


def test_on_cancel_kill_kills_the_worker() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            task = asyncio.create_task(pool.exec(payload(), on_cancel=OnCancel.KILL))
            await turns()
            task.cancel()
            await asyncio.sleep(1)
            assert spawner.processes[0].child.exited.result() == -9
            assert spawner.processes[1].worker.state is State.READY

    run_virtual(main())


def test_an_idle_leased_worker_does_not_reach_idle_ttl() -> None:
    async def main() -> None:
        spawner = FakeSpawner()
        async with fake_pool(spawner, supervisor={"idle_ttl": "5s", "watch_tick": "1s"}) as (pool, _):
            async with pool.lease() as lease:
                task = call(lease)
                await turns()
                spawner.processes[0].answer()
                await task
                await asyncio.sleep(20)
                assert not lease.ended.done()
            await asyncio.sleep(20)
            assert spawner.processes[0].child.exited.done()

    run_virtual(main())


class Holder:
    """A receiver of leases and replies.

    Attributes:
        calls: bodies that it still sends, each in the callback of the reply before.
    """

    def __init__(self, *calls: bytes) -> None:
        self.calls = list(calls)
        self.leases: list[Lease] = []
        self.replies: list[bytes] = []
        self.errors: list[Exception] = []

    def on_lease(self, lease: Lease) -> None:
        self.leases.append(lease)
        self.next()

    def next(self) -> None:
        if self.calls:
            self.leases[-1].submit(payload(self.calls.pop(0)), self)

    def on_reply(self, reply: Reply) -> None:
        self.replies.append(bytes(reply.body))
        self.next()

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)

    def describe(self) -> str:
        return "a call of the holder"


def test_a_receiver_gets_a_lease_and_submits_call_after_call_without_a_turn_of_the_loop() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            [worker] = spawner.processes
            holder = Holder(b"1", b"2")
            pool.request_lease(holder)
            assert [info.activity for info in await pool.workers()] == ["a call of the holder"]
            worker.answer()
            worker.answer()
            assert holder.replies == [b"1", b"2"]
            [lease] = holder.leases
            assert lease.ready
            lease.release()
            assert not lease.ready

    run_virtual(main())


def test_a_requested_lease_waits_for_a_free_worker_and_ends_with_the_pool() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, _):
            first, second, third = Holder(), Holder(), Holder()
            for holder in (first, second, third):
                pool.request_lease(holder)
            assert (len(first.leases), second.leases) == (1, [])
            first.leases[0].release()
            assert len(second.leases) == 1
            end = asyncio.create_task(pool.destroy(1.0))
            await turns()
            assert [type(error) for error in third.errors] == [PoolClosed]
            second.leases[0].release()
            await end
            with pytest.raises(PoolClosed):
                pool.request_lease(third)

    run_virtual(main())


def test_a_submitted_call_that_the_worker_hands_back_is_an_error_of_its_receiver() -> None:
    async def main() -> None:
        async with fake_pool() as (pool, spawner):
            holder = Holder(b"1")
            pool.request_lease(holder)
            spawner.processes[0].hand_back()
            await turns()
            assert [type(error) for error in holder.errors] == [LeaseEnded]
            with pytest.raises(LeaseEnded):
                holder.leases[0].submit(payload(), holder)
            holder.leases[0].release()

    run_virtual(main())


def test_a_leased_worker_is_not_free() -> None:
    async def main() -> None:
        async with fake_pool(num_workers=2) as (pool, _), pool.lease():
            stats = await pool.stats()
            assert (stats.states, stats.free) == ({State.READY: 2}, 1)

    run_virtual(main())
