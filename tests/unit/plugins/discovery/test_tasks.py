"""The policy of attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyroadrunner.plugins.discovery.backoff import wait_after
from pyroadrunner.plugins.discovery.drivers.contract import RegistryError, RegistryRefused
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.standing import Standing, State
from pyroadrunner.plugins.discovery.tasks import IdTaken, Task
from support.virtual_time import in_virtual_time


class Steps:
    """An operation that fails as told, and notes the times of its calls."""

    def __init__(self, error: Callable[[], Exception | None] = lambda: None) -> None:
        self.error = error
        self.times: list[float] = []

    async def __call__(self) -> None:
        self.times.append(asyncio.get_running_loop().time())
        error = self.error()
        if isinstance(error, TimeoutError):
            await asyncio.Event().wait()
        elif error is not None:
            raise error


def task(step: Steps, standing: Standing | None = None, figures: Figures | None = None) -> Task:
    standing = standing or Standing({"registry": "x"}, ["a"], State.REGISTERED)
    return Task("a", step, 5.0, 1.0, standing, figures or Figures(), lambda: 1.0)


async def gaps(step: Steps, seconds: float) -> list[float]:
    running = asyncio.create_task(task(step).run())
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait([running])
    return [round(after - before, 3) for before, after in zip(step.times, step.times[1:], strict=False)]


@in_virtual_time
async def test_attempts_come_at_the_interval() -> None:
    assert await gaps(Steps(), 22.0) == [5.0, 5.0, 5.0, 5.0]


@in_virtual_time
async def test_failures_back_off_up_to_a_quarter_of_a_minute() -> None:
    assert await gaps(Steps(lambda: RegistryError("away")), 70.0) == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


@in_virtual_time
async def test_an_attempt_that_hangs_is_given_up() -> None:
    standing = Standing({"registry": "x"}, ["a"], State.REGISTERED)
    assert await task(Steps(TimeoutError), standing).attempt() == 0.5
    assert standing.message() == "connecting: no answer within 4 s"


@pytest.mark.parametrize(
    ("error", "state", "wait"),
    [
        (RegistryError("away"), "connecting: away", 0.5),
        (RegistryRefused("denied"), "failed: denied", 18.75),
        (IdTaken("taken"), "id taken: taken", 5.0),
        (KeyError("bug"), "connecting: KeyError: 'bug'", 0.5),
    ],
)
@in_virtual_time
async def test_each_failure_has_a_state_and_a_wait(error: Exception, state: str, wait: float) -> None:
    standing, figures = Standing({"registry": "x"}, ["a"], State.REGISTERED), Figures()
    assert await task(Steps(lambda: error), standing, figures).attempt() == wait
    assert standing.message() == state
    assert figures.attempts == {("a", "failed"): 1}


def test_half_of_a_wait_is_random() -> None:
    assert [wait_after(failures, 0.0) for failures in (0, 1, 2, 3, 6, 1000)] == [0.25, 0.25, 0.5, 1.0, 7.5, 7.5]
    assert wait_after(1000, 1.0) == 15.0
