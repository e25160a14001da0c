"""A stopping pool waits for calls, streams and leases, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.drain import Drain
from pyroadrunner.workers.errors import PoolClosed
from pyroadrunner.workers.payload import Payload
from support.fake_workers import FakeProcess
from support.log import logged
from support.virtual_time import in_virtual_time

PAYLOAD = Payload(b"context")


async def seconds(drain: Drain, grace: float) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await drain.run(grace)
    return loop.time() - began


@in_virtual_time
async def test_an_idle_pool_is_drained_immediately_and_refuses_calls() -> None:
    admission = Admission("test", 0)
    process = FakeProcess(4_200_000)
    assert await seconds(Drain("test", admission, {1: process.worker}), 10.0) == 0.0
    with pytest.raises(PoolClosed):
        admission.enter(PAYLOAD)


@in_virtual_time
async def test_calls_are_waited_for_until_the_grace_is_over() -> None:
    admission = Admission("test", 0)
    admission.enter(PAYLOAD)
    with logged("server") as log:
        assert await seconds(Drain("test", admission, {}), 10.0) == pytest.approx(10.0)
    assert log.of("grace period over; cancelling the remaining requests") == [{"pool": "test", "requests": 1}]


@in_virtual_time
async def test_a_stream_without_a_reader_is_not_waited_for() -> None:
    process, loop = FakeProcess(4_200_000), asyncio.get_running_loop()
    drain = Drain("test", Admission("test", 0), {1: process.worker})
    call = Call(PAYLOAD, loop.create_future(), loop.time())
    process.worker.run(call)
    process.stream(b"1")
    stream = (await call.answer).stream
    assert stream is not None
    stream.drop()
    assert await seconds(drain, 10.0) == 0.0


@in_virtual_time
async def test_calls_and_streams_share_the_grace() -> None:
    admission, process, loop = Admission("test", 0), FakeProcess(4_200_000), asyncio.get_running_loop()
    call = Call(PAYLOAD, loop.create_future(), loop.time())
    process.worker.run(call)
    admission.enter(PAYLOAD)
    loop.call_later(4.0, process.stream, b"1")
    loop.call_later(4.0, admission.leave)
    with logged("server") as log:
        assert await seconds(Drain("test", admission, {1: process.worker}), 10.0) == pytest.approx(10.0)
    assert log.of("grace period over; cancelling the remaining streams") == [{"pool": "test", "streams": 1}]
