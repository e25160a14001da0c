"""The order in which waiting calls are served."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.call import Call
from pyroadrunner.workers.call_queue import AdaptiveLifoQueue, CallQueue
from pyroadrunner.workers.payload import Payload


@pytest.fixture
def loop() -> object:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def call(loop: asyncio.AbstractEventLoop, accepted: float, priority: int = 0) -> Call:
    return Call(Payload(b"context"), loop.create_future(), accepted, priority=priority)


def test_the_oldest_goes_first(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(2.0)
    calls = [call(loop, at) for at in (0.0, 0.1, 0.2)]
    for one in calls:
        queue.push(one)
    assert [queue.pop(0.5) for _ in range(4)] == [*calls, None]


def test_the_newest_goes_first_once_the_oldest_has_waited_a_second(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(10.0)
    calls = [call(loop, at) for at in (0.0, 0.5, 1.0)]
    for one in calls:
        queue.push(one)
    assert [queue.pop(1.1) for _ in range(3)] == calls[::-1]


def test_a_call_that_has_waited_for_max_lifo_wait_goes_first(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(2.0)
    old, new = call(loop, 0.0), call(loop, 1.0)
    queue.push(old)
    queue.push(new)
    assert queue.pop(2.0) is old


def test_without_max_lifo_wait_the_oldest_is_always_first(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(0.0)
    old, new = call(loop, 0.0), call(loop, 1.0)
    queue.push(old)
    queue.push(new)
    assert queue.pop(1.5) is old


def test_a_call_that_is_handed_back_takes_its_place_by_age(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(2.0)
    calls = [call(loop, at) for at in (0.0, 0.1, 0.2)]
    for place in (0, 2, 1):
        queue.push(calls[place])
    assert list(queue) == calls
    assert queue.oldest_wait(0.5) == 0.5


def test_answered_and_cancelled_calls_are_skipped(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(2.0)
    calls = [call(loop, at) for at in (0.0, 0.1, 0.2)]
    for one in calls:
        queue.push(one)
    calls[0].answer.cancel()
    calls[1].answer.set_exception(ValueError())
    calls[1].answer.exception()
    assert queue.oldest_wait(0.5) == pytest.approx(0.3)
    assert queue.pop(0.5) is calls[2]


def test_calls_that_have_waited_too_long_are_taken_out(loop: asyncio.AbstractEventLoop) -> None:
    queue = AdaptiveLifoQueue(2.0)
    late, back, young = call(loop, 0.0), call(loop, 0.0), call(loop, 50.0)
    back.began = 0.0
    back.wait_again(40.0)  # 40 s at a worker do not count
    for one in (late, back, young):
        queue.push(one)
    assert queue.take_late(61.0, 60.0) == [late]
    assert list(queue) == [back, young]


def test_lower_priorities_go_first_and_equal_priorities_by_age(loop: asyncio.AbstractEventLoop) -> None:
    queue = CallQueue()
    calls = [call(loop, at, priority) for at, priority in ((0.0, 10), (0.1, 1), (0.2, 10), (0.3, 1), (5.0, 5))]
    for one in calls:
        queue.push(one)
    assert queue.oldest_wait(6.0) == 6.0
    assert [queue.pop(6.0) for _ in range(6)] == [calls[1], calls[3], calls[4], calls[0], calls[2], None]
