"""The limits at which a worker is replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.workers.config import SupervisorConfig
from pyroadrunner.workers.limits import MEGABYTE, WorkerUsage, jittered_max_jobs, limit_reached
from pyroadrunner.workers.state import State

EVERYTHING = WorkerUsage(age=1e9, idle=1e9, memory=1 << 50)
ALL_LIMITS = SupervisorConfig(ttl=60.0, idle_ttl=10.0, max_worker_memory=100)


def test_without_limits_every_worker_is_kept() -> None:
    assert limit_reached(EVERYTHING, SupervisorConfig()) is None
    assert limit_reached(EVERYTHING, SupervisorConfig(exec_ttl=1.0)) is None, "exec_ttl is checked elsewhere"


@pytest.mark.parametrize(
    ("age", "idle", "memory", "expected"),
    [
        (59.9, 9.9, 100 * MEGABYTE - 1, None),
        (60.0, 0.0, 0, State.TTL_REACHED),
        (0.0, 0.0, 100 * MEGABYTE, State.MAX_MEMORY_REACHED),
        (0.0, 10.0, 0, State.IDLE_TTL_REACHED),
        (0.0, None, 0, None),
    ],
)
def test_a_limit_is_reached_at_its_exact_value(
    age: float, idle: float | None, memory: int, expected: State | None
) -> None:
    assert limit_reached(WorkerUsage(age=age, idle=idle, memory=memory), ALL_LIMITS) is expected


def test_the_first_of_ttl_memory_and_idle_ttl_is_reported() -> None:
    assert limit_reached(EVERYTHING, ALL_LIMITS) is State.TTL_REACHED
    assert limit_reached(WorkerUsage(age=0.0, idle=1e9, memory=1 << 50), ALL_LIMITS) is State.MAX_MEMORY_REACHED
    assert limit_reached(WorkerUsage(age=0.0, idle=1e9, memory=0), ALL_LIMITS) is State.IDLE_TTL_REACHED


def test_a_worker_that_works_or_never_worked_is_not_idle() -> None:
    assert limit_reached(WorkerUsage(age=1e9, idle=None, memory=0), SupervisorConfig(idle_ttl=1.0)) is None


@pytest.mark.parametrize("roll", [0, 1, 14, 15, 1 << 40])
def test_without_max_jobs_there_is_no_limit(roll: int) -> None:
    assert jittered_max_jobs(0, roll) == 0


@pytest.mark.parametrize(
    ("max_jobs", "roll", "expected"),
    [(1, 14, 1), (7, 14, 7), (8, 14, 9), (100, 0, 100), (100, 1, 101), (100, 14, 114), (100, 15, 100), (1000, 7, 1070)],
)
def test_max_jobs_grows_by_the_rolled_percentage_rounded_down(max_jobs: int, roll: int, expected: int) -> None:
    assert jittered_max_jobs(max_jobs, roll) == expected


@given(st.integers(1, 10**9), st.integers(0))
def test_max_jobs_grows_by_at_most_14_percent(max_jobs: int, roll: int) -> None:
    assert max_jobs <= jittered_max_jobs(max_jobs, roll) <= max_jobs + max_jobs * 14 // 100
