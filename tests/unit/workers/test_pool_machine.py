"""A pool under anything that can happen, in any order (hypothesis), in virtual time.

Invariants: a call has exactly one outcome; its answer is its own; no worker holds two calls; nothing is left over when
the pool is destroyed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pyroadrunner.workers.call import OnCancel
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.errors import PoolError
from pyroadrunner.workers.lease import Lease
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import Pool
from support.fake_workers import FakeProcess, FakeSpawner
from support.pools import pool_config
from support.virtual_time import VirtualTimeLoop, turns

INDEX = st.integers(0, 1_000)
EXAMPLES, STEPS = 200, 50  # together the 10,000 steps of a run


class PoolMachine(RuleBasedStateMachine):
    """Calls, leases, workers and time, driven at random."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualTimeLoop()
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(str(context)))
        self.spawner = FakeSpawner()
        self.calls: list[asyncio.Task[bytes]] = []
        self.leases: list[Lease] = []
        self.number = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(
        workers=st.integers(1, 3),
        queue=st.sampled_from(QueuePolicy),
        limit=st.sampled_from([0, 4]),
        max_jobs=st.sampled_from([0, 2]),
        exec_ttl=st.sampled_from(["0s", "3s"]),
    )
    def start(self, workers: int, queue: QueuePolicy, limit: int, max_jobs: int, exec_ttl: str) -> None:
        config = pool_config(
            num_workers=workers,
            max_queue_size=limit,
            max_jobs=max_jobs,
            allocate_timeout="5s",
            reset_timeout="4s",
            stream_timeout="2s",
            supervisor={"exec_ttl": exec_ttl, "ttl": "30s", "watch_tick": "1s"},
        )

        async def main() -> Pool:
            pool = Pool("test", config, self.spawner, queue)
            await pool.start()
            return pool

        self.pool: Pool = self.run(main())

    # -- callers -------------------------------------------------------------------------------------------------------

    def begin(self, target: Pool | Lease, **options: Any) -> None:
        self.number += 1
        name = b"%d" % self.number

        async def main() -> bytes:
            reply: Reply = await target.exec(Payload(b"context", name, Codec.RAW), **options)
            body = reply.body
            if reply.stream is not None:
                try:
                    async for chunk in reply.stream:
                        body += chunk.body
                finally:
                    await reply.stream.abort()
            assert body.split(b"|")[0] == name, f"{body!r} is not an answer to {name!r}"
            return body

        async def start() -> None:
            self.calls.append(asyncio.create_task(main()))
            await turns(2)

        self.run(start())

    @rule(
        priority=st.integers(0, 2),
        timeout=st.sampled_from([None, 0.0, 1.0]),
        on_cancel=st.sampled_from(OnCancel),
    )
    def call(self, priority: int, timeout: float | None, on_cancel: OnCancel) -> None:
        self.begin(self.pool, priority=priority, timeout=timeout, on_cancel=on_cancel)

    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        running = [task for task in self.calls if not task.done()]
        if running:
            running[index % len(running)].cancel()
            self.run(turns(8))

    @precondition(lambda self: len(self.leases) < 2)
    @rule()
    def take_lease(self) -> None:
        async def main() -> None:
            try:
                self.leases.append(await self.pool.lease(timeout=0.5).__aenter__())
            except PoolError:
                pass

        self.run(main())

    @precondition(lambda self: self.leases)
    @rule(index=INDEX)
    def call_leased(self, index: int) -> None:
        lease = self.leases[index % len(self.leases)]
        if lease.worker.busy and not lease.ended.done():
            return  # one at a time
        self.begin(lease)

    @precondition(lambda self: self.leases)
    @rule(index=INDEX)
    def release(self, index: int) -> None:
        lease = self.leases.pop(index % len(self.leases))

        async def main() -> None:
            lease.release()
            await turns(8)

        self.run(main())

    # -- workers -------------------------------------------------------------------------------------------------------

    def let(self, index: int, act: Callable[[FakeProcess], None], *, busy: bool = True) -> None:
        """Let one of the running workers (that has a call) do something, if there is one."""
        able = [process for process in self.spawner.running() if process.requests or not busy]

        async def main() -> None:
            act(able[index % len(able)])
            await turns(8)

        if able:
            self.run(main())

    @rule(index=INDEX)
    def answer(self, index: int) -> None:
        self.let(index, FakeProcess.answer)

    @rule(index=INDEX)
    def fail_softly(self, index: int) -> None:
        self.let(index, lambda process: process.answer_error("no"))

    @rule(index=INDEX, frames=st.integers(0, 3), ends=st.booleans())
    def stream(self, index: int, frames: int, ends: bool) -> None:
        def act(process: FakeProcess) -> None:
            process.stream(process.requests[0].payload[7:])
            for _ in range(frames):
                process.stream(b"|more")
            if ends:
                process.stream(b"|end", last=True)
            process.streaming = not ends

        self.let(index, act)

    @rule(index=INDEX)
    def end_stream(self, index: int) -> None:
        def act(process: FakeProcess) -> None:
            if process.streaming:
                process.streaming = False
                process.stream(b"|end", last=True)

        self.let(index, act, busy=False)

    @rule(index=INDEX)
    def hand_back(self, index: int) -> None:
        self.let(index, FakeProcess.hand_back)

    @rule(index=INDEX, status=st.sampled_from([0, 255, -11]))
    def crash(self, index: int, status: int) -> None:
        self.let(index, lambda process: process.exit(status), busy=False)

    @rule(index=INDEX)
    def close_relay(self, index: int) -> None:
        self.let(index, FakeProcess.close_relay, busy=False)

    @rule(index=INDEX)
    def write_garbage(self, index: int) -> None:
        self.let(index, lambda process: process.write(b"PHP Warning: " * 3), busy=False)

    @rule(index=INDEX)
    def exit_unread(self, index: int) -> None:
        """It ends before it has read its call."""

        def act(process: FakeProcess) -> None:
            process.relay.never_read = 1 << 30
            process.exit(0)

        self.let(index, act)

    @rule(failing=st.integers(0, 3), boot=st.sampled_from([0.0, 0.5]))
    def change_starts(self, failing: int, boot: float) -> None:
        self.spawner.failing, self.spawner.boot = failing, boot

    # -- time and steering ---------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule()
    def reset(self) -> None:
        async def main() -> None:
            task = asyncio.create_task(self.pool.reset())
            task.add_done_callback(lambda done: done.exception())
            await turns(8)

        self.run(main())

    @rule(size=st.integers(1, 4))
    def resize(self, size: int) -> None:
        async def main() -> None:
            try:
                await (self.pool.add_worker() if size % 2 else self.pool.remove_worker())
            except PoolError:
                pass

        self.run(main())

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def no_worker_holds_two_calls(self) -> None:
        for process in self.spawner.processes:
            assert len(process.requests) <= 1, process

    @invariant()
    def every_outcome_is_an_answer_of_its_own_or_an_error_with_a_name(self) -> None:
        for task in self.calls:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                assert isinstance(error, PoolError), error
        assert self.faults == []

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            self.loop.close()
            return
        self.spawner.failing = 0

        async def main() -> None:
            destroying = asyncio.create_task(self.pool.destroy(2.0))
            await asyncio.sleep(1.0)
            for lease in self.leases:
                lease.release()
            await asyncio.wait_for(destroying, 60)
            await asyncio.sleep(1.0)
            assert all(task.done() for task in self.calls), "a call waits for ever"
            await asyncio.gather(*self.calls, return_exceptions=True)
            assert await self.pool.workers() == []
            assert self.spawner.running() == []
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left

        try:
            self.run(main())
            self.every_outcome_is_an_answer_of_its_own_or_an_error_with_a_name()
        finally:
            self.loop.close()


PoolMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize="CI" in os.environ,  # a landing must not depend on luck; elsewhere each run looks at other orders
    suppress_health_check=[HealthCheck.too_slow],
)
TestPoolMachine = PoolMachine.TestCase


def test_no_worker_joins_a_pool_that_was_destroyed_while_a_reset_stopped_the_surplus() -> None:
    """A run that the machine has found."""
    machine = PoolMachine()
    machine.start(workers=3, queue=QueuePolicy.FIFO, limit=0, max_jobs=0, exec_ttl="0s")
    machine.wait(1.0)
    machine.change_starts(failing=0, boot=0.5)
    machine.reset()
    machine.take_lease()
    for index in (194, 0, 1):
        machine.close_relay(index)
    machine.teardown()
