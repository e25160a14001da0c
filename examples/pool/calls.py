"""What a plugin can do with its pool: one function for each thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.contracts import (
    LeaseEnded,
    Log,
    OnCancel,
    Payload,
    PoolConfig,
    PoolEvent,
    PoolFactory,
    QueuePolicy,
    State,
    WorkerFailed,
    WorkerGone,
    WorkerPool,
)

log = Log("reports")


async def call_with_options(pool: WorkerPool) -> bytes:
    async with asyncio.timeout(10):  # for all of it: the wait for a worker, too
        reply = await pool.exec(
            Payload(b"{}", b"report 17"),
            timeout=2.0,  # for the worker; it is killed then, and ExecTimeout raised
            on_cancel=OnCancel.KILL,  # the rest is not needed: do not let the worker finish
            describe=lambda: "report 17",  # for `rr workers -i` and log lines
            priority=5,  # calls with a lower number go first
        )
    return reply.body


async def call_that_may_fail(pool: WorkerPool) -> str:
    try:
        await pool.exec(Payload(b"{}", b""))
    except WorkerFailed as error:  # the worker said so, and lives on
        return error.text
    return ""


async def two_calls_on_one_worker(pool: WorkerPool) -> list[bytes]:
    while True:
        async with pool.lease(timeout=5.0) as lease:
            try:
                first = await lease.exec(Payload(b"{}", b"begin"))
                second = await lease.exec(Payload(b"{}", b"commit"))
            except LeaseEnded:
                continue  # the worker has to go, and has not seen this call: begin again with another
            return [first.body, second.body]


async def hold_a_worker(pool: WorkerPool, work: Callable[[], Payload | None]) -> str:
    async with pool.lease() as lease:
        while not lease.ended.done():  # done when the worker has to go: release it soon
            payload = work()
            if payload is None:
                return "no work left"
            await lease.exec(payload)
        return lease.ended.result()  # why: "maxJobsReached", "ttlReached", ...


def log_crashes(pool: WorkerPool) -> Callable[[], None]:
    def on_event(event: PoolEvent) -> None:  # called on the event loop: return at once
        if isinstance(event, WorkerGone) and event.exit_status != 0:
            log.warning("worker crashed", pid=event.pid, cause=event.cause, exit_status=event.exit_status)

    return pool.subscribe(on_event)  # call what it returns to unsubscribe


async def describe_load(pool: WorkerPool) -> str:
    stats = await pool.stats()
    working = stats.states.get(State.WORKING, 0)
    median = stats.wait_of(0.5)
    return f"{working} working, {stats.free} free, {stats.queued} waiting; median wait {median:.3f} s"


async def make_a_pool_for_impatient_clients(factory: PoolFactory, config: PoolConfig) -> WorkerPool:
    return await factory.create_pool("reports", config, {"RR_MODE": "reports"}, queue=QueuePolicy.ADAPTIVE_LIFO)
