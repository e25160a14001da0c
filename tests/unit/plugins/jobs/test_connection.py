"""The reconnect policy, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.plugins.jobs.connection import LONGEST_WAIT, Connection, State
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused
from support.jobs import FakeDriver
from support.log import logged
from support.virtual_time import in_virtual_time, turns


class NoHost:
    """The driver's host: passes a loss on to the connection."""

    name = "p"
    timeout = 60.0
    connection: Connection

    def lost(self, why: str) -> None:
        self.connection.lost(why)


def made(jitter: float = 1.0) -> tuple[Connection, FakeDriver]:
    host = NoHost()
    driver = FakeDriver(host)  # type: ignore[arg-type]

    async def nothing() -> None:
        pass

    host.connection = Connection("p", driver, nothing, lambda: jitter)
    return host.connection, driver


@in_virtual_time
async def test_it_connects_once_and_stays_connected() -> None:
    connection, driver = made()
    assert connection.state is State.CONNECTING
    connection.start()
    connection.start()
    await connection.wait()
    await asyncio.sleep(3600)
    assert driver.log == ["connect"]
    assert (connection.state, connection.epoch, connection.error) == (State.CONNECTED, 1, "")
    await connection.stop()
    assert driver.log == ["connect", "disconnect"]
    assert connection.state is State.CLOSED


@in_virtual_time
async def test_it_tries_for_ever_with_growing_waits() -> None:
    connection, driver = made()
    driver.fails = BrokerError("dial tcp: refused")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with logged("jobs") as log:
        connection.start()
        await asyncio.sleep(3600)
    tries = driver.log.count("connect")
    # 0.1 + 0.2 + ... + 12.8 seconds, then one each 15 seconds.
    assert 3600 / LONGEST_WAIT < tries < 3600 / LONGEST_WAIT + 10
    assert connection.error == "dial tcp: refused"
    assert len(log.of("pipeline has no connection to its broker; retrying")) == 1
    driver.fails = None
    await connection.wait()
    assert loop.time() - began <= 3600 + LONGEST_WAIT
    await connection.stop()


@pytest.mark.parametrize(("jitter", "first"), [(0.0, 0.05), (1.0, 0.1)])
@in_virtual_time
async def test_half_of_a_wait_is_random(jitter: float, first: float) -> None:
    connection, driver = made(jitter)
    driver.fails = BrokerError("no")
    connection.start()
    await connection.attempted()
    await asyncio.sleep(first - 0.001)
    assert driver.log.count("connect") == 1
    await asyncio.sleep(0.002)
    assert driver.log.count("connect") == 2
    await connection.stop()


@in_virtual_time
async def test_a_lost_connection_is_closed_and_made_again() -> None:
    connection, driver = made()
    connection.start()
    await connection.wait()
    await asyncio.sleep(60)
    with logged("jobs") as log:
        connection.lost("reset by peer")
        assert not connection.connected
        connection.lost("and again")
        await connection.wait()
    assert driver.log == ["connect", "disconnect", "connect"]
    assert connection.epoch == 2
    assert log.messages == ["pipeline lost the connection to its broker", "pipeline is connected again"]
    await connection.stop()


@in_virtual_time
async def test_a_connection_that_is_lost_at_once_each_time_is_not_hammered() -> None:
    connection, _driver = made()
    connection.start()
    for _ in range(20):
        await connection.wait()
        connection.lost("flapping")
    began = asyncio.get_running_loop().time()
    await connection.wait()
    assert asyncio.get_running_loop().time() - began == pytest.approx(LONGEST_WAIT)
    await connection.stop()


@in_virtual_time
async def test_a_loss_during_the_attempt_is_one() -> None:
    connection, _driver = made()
    connection.start()
    await turns(1)
    connection.lost("in the middle")
    await connection.attempted()
    assert not connection.connected
    await connection.wait()
    assert connection.connected
    await connection.stop()


@in_virtual_time
async def test_refused_settings_are_a_failure_with_its_reason_and_are_tried_again() -> None:
    connection, driver = made()
    driver.fails = BrokerRefused("PRECONDITION_FAILED: inequivalent arg 'durable'")
    connection.start()
    await connection.attempted()
    assert (connection.state, connection.error) == (State.FAILED, str(driver.fails))
    assert "failed: PRECONDITION_FAILED" in str(connection.not_connected(60.0))
    driver.fails = None
    await connection.wait()
    assert connection.connected
    await connection.stop()


@in_virtual_time
async def test_a_broker_that_never_answers_is_given_up_and_tried_again() -> None:
    connection, driver = made()
    driver.hangs = True
    connection.start()
    await connection.attempted()
    assert connection.error == "the broker did not answer within 30 s"
    driver.hangs = False
    await connection.wait()
    await connection.stop()


@in_virtual_time
async def test_a_bug_of_a_driver_does_not_end_the_pipeline() -> None:
    connection, driver = made()
    driver.fails = KeyError("x")
    connection.start()
    await connection.attempted()
    assert connection.error == "KeyError: 'x'"
    driver.fails = None
    await connection.wait()
    await connection.stop()


@pytest.mark.parametrize("error", [OSError("broken"), None])
@in_virtual_time
async def test_a_driver_that_does_not_close_does_not_end_the_pipeline(error: Exception | None) -> None:
    connection, driver = made()

    async def disconnect() -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    driver.disconnect = disconnect  # type: ignore[method-assign]
    connection.start()
    await connection.wait()
    connection.lost("cut")
    await connection.wait()
    assert connection.epoch == 2
    await connection.stop()


@in_virtual_time
async def test_a_stop_ends_an_attempt_and_a_wait() -> None:
    connection, driver = made()
    driver.hangs = True
    connection.start()
    await turns()
    await connection.stop()
    assert driver.log[-1] == "disconnect"
    await connection.stop()
