"""The health of a pool from the states of its workers."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.workers.health import all_serve, has_free_worker
from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import PoolStats


class Counted:
    def __init__(self, **states: int) -> None:
        self._states = {State[name]: count for name, count in states.items()}

    async def stats(self) -> PoolStats:
        return PoolStats(states=self._states, free=self._states.get(State.READY, 0))


@pytest.mark.parametrize(
    ("pool", "serves", "free"),
    [
        (Counted(READY=2), True, True),
        (Counted(READY=1, WORKING=7), True, True),
        (Counted(WORKING=8), True, False),
        (Counted(WORKING=8, READY=0), True, False),
        (Counted(ERRORED=1, STOPPING=2, INVALID=1), False, False),
        (Counted(), False, False),
    ],
)
def test_a_pool_serves_with_one_active_worker_and_is_free_with_an_idle_one(
    pool: Counted, serves: bool, free: bool
) -> None:
    assert asyncio.run(all_serve([pool])) is serves
    assert asyncio.run(has_free_worker(pool)) is free


def test_every_pool_must_serve_and_a_plugin_needs_one() -> None:
    assert asyncio.run(all_serve([Counted(READY=1), Counted(WORKING=1)]))
    assert not asyncio.run(all_serve([Counted(READY=1), Counted(STOPPING=1)]))
    assert not asyncio.run(all_serve([]))
    assert not asyncio.run(has_free_worker(None))
