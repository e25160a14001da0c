"""When workers are added, and when they leave again."""

from __future__ import annotations

import pytest

from pyroadrunner.workers.autoscaler import PATIENCE, Autoscaler
from pyroadrunner.workers.config import DynamicAllocatorConfig


@pytest.fixture
def scaler() -> Autoscaler:
    return Autoscaler(DynamicAllocatorConfig(max_workers=8, spawn_rate=5, idle_timeout=60.0))


def test_nothing_is_added_before_a_request_has_waited(scaler: Autoscaler) -> None:
    assert scaler.grow(100.0, PATIENCE / 2) == 0
    assert scaler.extra == 0


def test_workers_are_added_by_the_spawn_rate_up_to_the_maximum(scaler: Autoscaler) -> None:
    assert scaler.grow(100.0, PATIENCE) == 5
    assert scaler.grow(100.0 + 2 * PATIENCE, 2 * PATIENCE) == 3
    assert scaler.grow(100.0 + 4 * PATIENCE, 3 * PATIENCE) == 0
    assert scaler.extra == 8


def test_an_addition_has_time_to_help_before_the_next(scaler: Autoscaler) -> None:
    assert scaler.grow(100.0, PATIENCE) == 5
    assert scaler.grow(100.0 + PATIENCE / 2, 2 * PATIENCE) == 0


def test_all_extra_workers_leave_together_once_it_was_quiet_long_enough(scaler: Autoscaler) -> None:
    scaler.grow(100.0, PATIENCE)
    assert scaler.shrink(159.0, queued=False) == 0
    assert scaler.shrink(160.0, queued=False) == 5
    assert scaler.shrink(500.0, queued=False) == 0


def test_nobody_leaves_while_requests_wait(scaler: Autoscaler) -> None:
    scaler.grow(100.0, PATIENCE)
    assert scaler.shrink(200.0, queued=True) == 0
    assert scaler.shrink(259.0, queued=False) == 0
    assert scaler.shrink(260.0, queued=False) == 5
