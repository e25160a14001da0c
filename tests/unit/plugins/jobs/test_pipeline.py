"""A pipeline between a driver that the test controls and a consumer: the test itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pyroadrunner.plugins.jobs.connection import LONGEST_WAIT
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Delivery, Job, PushRefused
from pyroadrunner.plugins.jobs.errors import AlreadyRunning, NoAnswer, NotConnected, NotRunning, PipelineClosed
from pyroadrunner.plugins.jobs.job_queue import JobQueue
from pyroadrunner.plugins.jobs.outcome import ACK, NACK, Bury, Redeliver, Requeue
from pyroadrunner.plugins.jobs.pipeline import JobPipeline, Settings
from support.jobs import FakeDriver
from support.log import logged
from support.virtual_time import in_virtual_time, turns

TIMEOUT = 60.0


def job(name: str = "1") -> Job:
    return Job(id=name, name="J", payload=b"")


class Buried:
    """The dead letter pipeline."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.fails: Exception | None = None

    async def push(self, one: Job) -> None:
        if self.fails is not None:
            raise self.fails
        self.jobs.append(one)


@asynccontextmanager
async def pipeline(
    *, consumes: bool = True, connected: bool = True, limit: int = 100, survives: bool = False, auto: bool = True
) -> AsyncIterator[tuple[JobPipeline, FakeDriver]]:
    """A pipeline that has started. Its driver is ``found.driver``; ``found.buried`` are its dead letters."""
    buried = Buried()
    found = JobPipeline(
        Settings(name="p", driver="fake", priority=10, timeout=TIMEOUT),
        FakeDriver,
        JobQueue(limit),
        lambda: None,
        buried.push,
    )
    found.buried = buried  # type: ignore[attr-defined]
    driver = found.driver
    assert isinstance(driver, FakeDriver)
    driver.receipts_survive = survives
    if not connected:
        driver.fails = BrokerError("away")
    if consumes:
        await found.resume()
    found.connection.start()
    await found.connection.attempted()
    await turns()
    driver.log.clear()
    try:
        yield found, driver
    finally:
        driver.fails, driver.hangs = None, False
        await found.close()


def take(found: JobPipeline) -> Delivery:
    """Take the next job, as a worker would."""
    return found.lane.take()


# -- pushing


@in_virtual_time
async def test_a_push_returns_when_the_broker_has_the_jobs() -> None:
    async with pipeline() as (found, driver):
        pending = found.push([job("1"), job("2")])
        assert pending is not None
        await pending
        assert [one.id for one in driver.pushed] == ["1", "2"]


@in_virtual_time
async def test_a_push_waits_for_the_connection() -> None:
    async with pipeline(connected=False) as (found, driver):
        assert found.state == "connecting"
        push = asyncio.ensure_future(found.push([job()]))  # type: ignore[arg-type]
        await asyncio.sleep(5)
        assert not push.done()
        driver.fails = None
        await push
        assert [one.id for one in driver.pushed] == ["1"]


@in_virtual_time
async def test_a_push_fails_in_words_when_the_time_is_over() -> None:
    async with pipeline(connected=False) as (found, _):
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotConnected) as failed:
            await found.push([job()])  # type: ignore[misc]
        assert str(failed.value) == "the pipeline p has no connection to its broker after 60 s: connecting: away"
        assert asyncio.get_running_loop().time() - began == pytest.approx(TIMEOUT)


@in_virtual_time
async def test_a_push_fails_at_once_when_the_broker_refuses_the_settings() -> None:
    async with pipeline(connected=False) as (found, driver):
        driver.fails = BrokerRefused("ACCESS_REFUSED")
        await asyncio.sleep(LONGEST_WAIT)
        with pytest.raises(NotConnected, match="failed: ACCESS_REFUSED"):
            await found.push([job()])  # type: ignore[misc]


@in_virtual_time
async def test_a_push_that_waits_is_told_when_the_pipeline_is_closed() -> None:
    async with pipeline(connected=False) as (found, _):
        push = asyncio.ensure_future(found.push([job()]))  # type: ignore[arg-type]
        await asyncio.sleep(1)
        await found.connection.stop()
        with pytest.raises(PipelineClosed, match="the pipeline p is closed"):
            await push


@in_virtual_time
async def test_a_push_that_the_broker_does_not_confirm_fails_in_time() -> None:
    async with pipeline() as (found, driver):
        driver.hangs = True
        with pytest.raises(NoAnswer, match="did not answer within 60 s"):
            await found.push([job()])  # type: ignore[misc]


@in_virtual_time
async def test_a_push_in_a_lost_connection_is_done_again_on_the_next_one() -> None:
    async with pipeline() as (found, driver):
        push = asyncio.ensure_future(found.push([job()]))  # type: ignore[arg-type]
        await turns(1)
        driver.cut()
        await asyncio.sleep(1)
        driver.fails = None
        await push
        assert [one.id for one in driver.pushed] == ["1"]


@pytest.mark.parametrize("error", [PushRefused("too large"), BrokerError("no space left")])
@in_virtual_time
async def test_an_error_of_a_living_connection_is_the_callers(error: Exception) -> None:
    async with pipeline() as (found, driver):
        driver.fails = error
        with pytest.raises(type(error), match=str(error)):
            await found.push([job()])  # type: ignore[misc]


# -- settling


@pytest.mark.parametrize(
    ("outcome", "operation"),
    [
        (ACK, "ack 1"),
        (NACK, "nack 1"),
        (Redeliver(7), "redeliver 1 in 7"),
        (Requeue({}, 3), "requeue 1 in 3"),
    ],
    ids=str,
)
@in_virtual_time
async def test_each_outcome_is_one_operation_of_the_driver(outcome: object, operation: str) -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        assert found.unsettled == 1
        found.settle(take(found), outcome)  # type: ignore[arg-type]
        await found.settled()
        assert driver.log == [operation]
        assert found.unsettled == 0


@in_virtual_time
async def test_a_redelivered_job_has_the_time_of_its_first_failure() -> None:
    async with pipeline() as (found, driver):
        delivery = driver.deliver()
        found.settle(take(found), Redeliver(1))
        await found.settled()
        assert delivery.failed_at.endswith("Z")
        assert delivery.failed_copy(1).headers == {"rr_attempts": ["1"], "rr_first_failed": [delivery.failed_at]}


@in_virtual_time
async def test_a_delivery_of_a_lost_connection_is_not_settled() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        driver.cut()
        driver.fails = None
        await found.connection.wait()
        driver.log.clear()
        with logged("jobs") as log:
            found.settle(take(found), ACK)
            await found.settled()
        assert driver.log == []
        (line,) = log.of("job could not be settled; its broker may deliver it again")
        assert line["error"] == "its connection was lost"


@in_virtual_time
async def test_a_surviving_delivery_is_settled_on_the_next_connection() -> None:
    async with pipeline(survives=True) as (found, driver):
        driver.deliver()
        driver.cut()
        found.settle(take(found), ACK)
        await asyncio.sleep(5)
        assert "ack 1" not in driver.log
        driver.fails = None
        await found.settled()
        assert driver.log[-1] == "ack 1"


@in_virtual_time
async def test_a_surviving_delivery_whose_ack_breaks_is_settled_on_the_next_connection() -> None:
    async with pipeline(survives=True) as (found, driver):
        driver.deliver()
        found.settle(take(found), ACK)
        await turns(1)
        driver.cut()
        await asyncio.sleep(1)
        driver.fails = None
        await found.settled()
        assert driver.log.count("ack 1") == 2


@in_virtual_time
async def test_a_surviving_delivery_that_did_not_run_is_released_on_the_next_connection() -> None:
    async with pipeline(survives=True) as (found, driver):
        driver.deliver()
        driver.cut()
        found.give_back(take(found))
        await asyncio.sleep(3 * TIMEOUT)
        assert "release 1" not in driver.log
        driver.fails = None
        await found.settled()
        assert driver.log[-1] == "release 1"


@in_virtual_time
async def test_a_surviving_delivery_is_given_up_when_a_working_broker_refuses_it_again_and_again() -> None:
    async with pipeline(survives=True) as (found, driver):
        driver.deliver()
        driver.fails = BrokerError("unknown receipt")
        with logged("jobs") as log:
            found.settle(take(found), ACK)
            await found.settled()
        assert driver.log == ["ack 1"] * 5
        (line,) = log.of("job could not be settled; its broker may deliver it again")
        assert line["error"] == "unknown receipt"


@in_virtual_time
async def test_a_copy_that_the_broker_refuses_leaves_the_job_for_a_later_attempt() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        driver.fails = PushRefused("a delay of 901 s")
        found.settle(take(found), Requeue({}, 901))
        await turns(2)
        driver.fails = None
        await found.settled()
        assert driver.log == ["requeue 1 in 901", "redeliver 1 in 1"]


@in_virtual_time
async def test_a_copy_that_fails_is_released() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        driver.fails = BrokerError("no space left")
        found.settle(take(found), Requeue({}, 1))
        await turns(2)
        driver.fails = None
        await found.settled()
        assert driver.log == ["requeue 1 in 1", "release 1"]


@in_virtual_time
async def test_an_ack_that_never_ends_is_given_up() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        driver.hangs = True
        with logged("jobs") as log:
            found.settle(take(found), ACK)
            await found.settled()
        (line,) = log.of("job could not be settled; its broker may deliver it again")
        assert line["error"] == "no answer within 60 s"


@in_virtual_time
async def test_a_bug_of_a_driver_is_logged_and_holds_up_nothing() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        driver.fails = KeyError("x")
        with logged("jobs") as log:
            found.settle(take(found), ACK)
            await found.settled()
        (line,) = log.of("job could not be settled; its broker may deliver it again")
        assert line["error"] == "KeyError('x')"


@in_virtual_time
async def test_a_bug_in_a_driver_that_does_not_wait_is_logged_too() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()

        def ack(_delivery: Delivery) -> None:
            raise KeyError("x")

        driver.ack = ack  # type: ignore[assignment, method-assign]
        with logged("jobs") as log:
            found.settle(take(found), ACK)
        assert found.unsettled == 0
        assert len(log.lines) == 1


@in_virtual_time
async def test_a_dead_letter_is_pushed_before_the_original_is_deleted() -> None:
    async with pipeline() as (found, driver):
        delivery = driver.deliver(headers={"h": ["x"], "rr_attempts": ["2"]})
        found.settle(take(found), Bury("max_attempts", "boom"))
        await found.settled()
        (dead,) = found.buried.jobs  # type: ignore[attr-defined]
        at = dead.headers.pop("rr_dead_at")
        assert dead.headers == {
            "h": ["x"],
            "rr_dead_pipeline": ["p"],
            "rr_dead_reason": ["max_attempts"],
            "rr_dead_error": ["boom"],
            "rr_dead_attempts": ["3"],
            "rr_dead_first_failed": at,
        }
        assert driver.log == ["ack 1"]
        assert delivery.job.headers == {"h": ["x"], "rr_attempts": ["2"]}
        assert found.figures.buried == 1


@in_virtual_time
async def test_a_job_stays_when_its_dead_letter_can_not_be_pushed() -> None:
    async with pipeline() as (found, driver):
        driver.deliver()
        found.buried.fails = BrokerError("full")  # type: ignore[attr-defined]
        found.settle(take(found), Bury("max_attempts", "boom"))
        await found.settled()
        assert driver.log == ["redeliver 1 in 1"]


@in_virtual_time
async def test_an_auto_ack_job_is_acknowledged_first_and_not_again() -> None:
    async with pipeline() as (found, driver):
        driver.deliver(auto_ack=True)
        delivery = take(found)
        assert await found.acknowledge_first(delivery)
        found.settle(delivery, ACK)
        await found.settled()
        assert driver.log == ["ack 1"]


@pytest.mark.parametrize("error", [BrokerError("no"), KeyError("a bug of the driver")])
@in_virtual_time
async def test_an_auto_ack_job_that_can_not_be_acknowledged_does_not_run(error: Exception) -> None:
    async with pipeline() as (found, driver):
        driver.deliver(auto_ack=True)
        driver.fails = error
        assert not await found.acknowledge_first(take(found))
        assert found.unsettled == 0


@in_virtual_time
async def test_an_acknowledged_job_is_not_given_back() -> None:
    async with pipeline() as (found, driver):
        driver.deliver(auto_ack=True)
        delivery = take(found)
        await found.acknowledge_first(delivery)
        found.give_back(delivery)
        assert driver.log == ["ack 1"]
        assert found.unsettled == 0


@in_virtual_time
async def test_a_waiting_auto_ack_job_is_given_back() -> None:
    async with pipeline() as (found, driver):
        driver.deliver(auto_ack=True)
        await found.close_intake()
        await found.settled()
        assert driver.log == ["cancel", "release 1"]


@in_virtual_time
async def test_a_requeued_auto_ack_job_is_pushed() -> None:
    async with pipeline() as (found, driver):
        driver.deliver(auto_ack=True)
        delivery = take(found)
        await found.acknowledge_first(delivery)
        found.settle(delivery, Requeue({"a": ["1"]}, 5))
        await found.settled()
        assert [(one.headers, one.delay) for one in driver.pushed] == [({"a": ["1"]}, 5)]


# -- back-pressure


@in_virtual_time
async def test_room_is_the_prefetch_without_what_is_unsettled() -> None:
    async with pipeline() as (found, driver):
        assert await found.room(3) == 3
        for name in "123":
            driver.deliver(id=name)
        waits = asyncio.ensure_future(found.room(3))
        await asyncio.sleep(60)
        assert not waits.done()
        found.settle(take(found), ACK)
        assert await waits == 1


@in_virtual_time
async def test_a_full_queue_of_the_server_stops_the_drivers() -> None:
    async with pipeline(limit=4) as (found, driver):
        for name in "1234":
            driver.deliver(id=name)
        waits = asyncio.ensure_future(found.room(1000))
        await asyncio.sleep(60)
        found.settle(take(found), ACK)
        await asyncio.sleep(60)
        assert not waits.done()
        await found.close_intake()
        assert await waits == 4


# -- control


@in_virtual_time
async def test_pause_and_resume() -> None:
    async with pipeline() as (found, driver):
        assert (found.state, found.ready, driver.consuming) == ("ready", True, True)
        with pytest.raises(AlreadyRunning, match="fake listener is already in the active state"):
            await found.resume()
        await found.pause()
        assert (found.state, found.ready, driver.consuming) == ("paused", False, False)
        with pytest.raises(NotRunning, match="no active listeners, nothing to pause"):
            await found.pause()
        await found.resume()
        assert (found.state, found.ready, driver.consuming) == ("ready", True, True)


@in_virtual_time
async def test_a_reconnect_consumes_again_and_a_paused_pipeline_does_not() -> None:
    async with pipeline() as (found, driver):
        driver.cut()
        assert (found.state, found.ready) == ("connecting", False)
        driver.fails = None
        await found.connection.wait()
        assert driver.consuming
        assert found.ready
        await found.pause()
        driver.cut()
        driver.fails = None
        await found.connection.wait()
        assert not driver.consuming
        assert found.state == "paused"


@in_virtual_time
async def test_resume_without_a_connection_consumes_once_there_is_one() -> None:
    async with pipeline(consumes=False, connected=False) as (found, driver):
        await found.resume()
        assert not found.ready
        driver.fails = None
        await found.connection.wait()
        assert found.ready


@in_virtual_time
async def test_resume_while_it_connects_is_no_error() -> None:
    """Clients resume each pipeline that is not ready before they push: laravel-bridge does."""
    async with pipeline(connected=False) as (found, driver):
        assert (found.state, found.ready) == ("connecting", False)
        await found.resume()
        driver.fails = None
        await found.connection.wait()
        assert (found.ready, driver.consuming) == (True, True)


@in_virtual_time
async def test_a_refused_resume_leaves_the_pipeline_paused() -> None:
    async with pipeline(consumes=False) as (found, driver):
        driver.fails = BrokerRefused("empty queue name")
        with pytest.raises(BrokerRefused, match="empty queue name"):
            await found.resume()
        assert found.state == "paused"


@in_virtual_time
async def test_a_pause_that_the_broker_does_not_answer_ends_the_connection() -> None:
    async with pipeline() as (found, driver):
        driver.hangs = True
        await found.pause()
        assert not found.connection.connected
        driver.hangs = False
        await found.connection.wait()
        assert not driver.consuming


@in_virtual_time
async def test_closing_the_intake_gives_waiting_jobs_back_last_first() -> None:
    async with pipeline() as (found, driver):
        for name in "123":
            driver.deliver(id=name)
        running = take(found)
        await found.close_intake()
        await turns()
        assert driver.log == ["cancel", "release 3", "release 2"]
        assert found.unsettled == 1
        found.settle(running, ACK)
        await found.settled()


@in_virtual_time
async def test_its_state_is_told_even_if_the_broker_does_not_answer() -> None:
    async with pipeline() as (found, driver):
        state = await found.look()
        assert (state.pipeline, state.driver, state.queue, state.ready, state.priority) == ("p", "fake", "q", True, 10)
        assert (state.state, state.error_message) == ("ready", "")
        driver.stat_error = "no offsets"
        state = await found.look()
        assert (state.state, state.queue, state.error_message) == ("ready", "q", "no offsets")
        driver.hangs = True
        assert (await found.look()).error_message == "the broker of the pipeline p did not answer within 60 s"
        driver.hangs = False
        driver.cut("reset by peer")
        state = await found.look()
        assert (state.state, state.ready, state.error_message) == ("connecting", False, "reset by peer")
