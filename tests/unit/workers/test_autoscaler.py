"""When workers are added, and when they leave again."""

from __future__ import annotations

import pytest

from pyroadrunner.workers.autoscaler import FIRST_PAUSE, LONGEST_PAUSE, Autoscaler
from pyroadrunner.workers.config import DynamicAllocatorConfig

WAIT = 0.1
BASE = 2  # workers of the pool without the extra ones


@pytest.fixture
def scaler() -> Autoscaler:
    return Autoscaler(DynamicAllocatorConfig(max_workers=8, spawn_rate=5, idle_timeout=60.0, scale_up_wait=WAIT))


def grow(scaler: Autoscaler, now: float, waited: float = WAIT, queued: int = 50, room: int = 400) -> int:
    return scaler.grow(now, waited=waited, queued=queued, room=room)


def grown(scaler: Autoscaler, now: float = 100.0) -> Autoscaler:
    """With all it may have, since ``now``."""
    while count := grow(scaler, now):
        scaler.came(now, count)
        now += WAIT
    return scaler


def shrink(scaler: Autoscaler, now: float, needed: int = 0) -> int:
    return scaler.shrink(now, needed=needed, workers=BASE + scaler.extra)


# -- up ----------------------------------------------------------------------------------------------------------------


def test_nothing_is_added_before_a_request_has_waited(scaler: Autoscaler) -> None:
    assert grow(scaler, 100.0, WAIT / 2) == 0
    assert (scaler.extra, scaler.coming) == (0, 0)


def test_workers_are_added_by_the_spawn_rate_up_to_the_maximum(scaler: Autoscaler) -> None:
    assert grow(scaler, 100.0) == 5
    scaler.came(101.0, 5)
    assert grow(scaler, 101.0 + 2 * WAIT) == 3
    scaler.came(102.0, 3)
    assert grow(scaler, 103.0) == 0
    assert (scaler.extra, scaler.ups) == (8, 8)


@pytest.mark.parametrize(("queued", "room", "count"), [(1, 400, 1), (3, 400, 3), (50, 2, 2), (50, 0, 0), (50, -1, 0)])
def test_no_more_are_added_than_requests_wait_or_the_pool_may_have(
    scaler: Autoscaler, queued: int, room: int, count: int
) -> None:
    assert grow(scaler, 100.0, queued=queued, room=room) == count


def test_no_more_are_added_while_some_are_coming_and_before_they_had_time_to_help(scaler: Autoscaler) -> None:
    assert grow(scaler, 100.0) == 5
    assert grow(scaler, 130.0, 30.0) == 0
    scaler.came(130.0, 5)
    assert grow(scaler, 130.0 + WAIT / 2, 30.0) == 0
    assert grow(scaler, 130.0 + WAIT, 30.0) == 3


def test_workers_that_do_not_come_up_are_tried_again_with_growing_pauses(scaler: Autoscaler) -> None:
    now, pauses = 100.0, []
    for _ in range(8):
        assert grow(scaler, now, 60.0) == 5
        scaler.came(now, 0)
        began = now
        while not grow(scaler, now, 60.0):
            now += 0.25
        scaler.coming = 0
        pauses.append(now - began)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert scaler.extra == 0


def test_those_of_a_batch_that_came_up_count_and_the_pause_ends_with_a_success(scaler: Autoscaler) -> None:
    grow(scaler, 100.0)
    scaler.came(100.0, 3)
    assert scaler.extra == 3
    assert grow(scaler, 100.5) == 0
    assert grow(scaler, 100.0 + FIRST_PAUSE) == 5
    scaler.came(101.0, 5)
    assert scaler.extra == 8
    assert grow(scaler, 102.0) == 0


# -- down --------------------------------------------------------------------------------------------------------------


def test_extra_workers_leave_in_steps_once_it_was_quiet_long_enough(scaler: Autoscaler) -> None:
    grown(scaler, 100.0)
    last = 100.0 + WAIT
    assert shrink(scaler, last + 59.0) == 0
    assert shrink(scaler, last + 60.0) == 5
    assert shrink(scaler, last + 61.0) == 0
    assert shrink(scaler, last + 119.0) == 0
    assert shrink(scaler, last + 120.0) == 3
    assert shrink(scaler, last + 500.0) == 0
    assert (scaler.extra, scaler.downs) == (0, 8)


def test_those_that_the_busiest_moment_needed_stay(scaler: Autoscaler) -> None:
    grown(scaler, 100.0)
    assert shrink(scaler, 130.0, needed=7) == 0
    assert shrink(scaler, 161.0, needed=1) == 3  # 10 there are, 7 were needed
    assert shrink(scaler, 170.0, needed=7) == 0
    assert shrink(scaler, 222.0, needed=1) == 0
    assert shrink(scaler, 283.0, needed=1) == 5  # a minute in which one was enough
    assert scaler.extra == 0


def test_nobody_leaves_while_requests_wait(scaler: Autoscaler) -> None:
    grown(scaler, 100.0)
    assert shrink(scaler, 200.0, needed=30) == 0
    assert scaler.extra == 8


def test_a_pool_without_extra_workers_never_shrinks(scaler: Autoscaler) -> None:
    assert scaler.shrink(1000.0, needed=0, workers=BASE) == 0


def test_a_steady_load_between_the_sizes_does_not_swing(scaler: Autoscaler) -> None:
    """Six requests at any time, two workers without the extra ones: grown once, it stays so."""
    changes = []
    for tick in range(100_000):
        now = tick * 0.05
        workers = BASE + scaler.extra
        queued = max(0, 6 - workers)
        if count := scaler.grow(now, waited=0.2 if queued else 0.0, queued=queued, room=400):
            scaler.came(now, count)
            changes.append(count)
        if count := scaler.shrink(now, needed=6, workers=BASE + scaler.extra):
            changes.append(-count)
    assert changes == [4]


# -- reconfigured ------------------------------------------------------------------------------------------------------


def test_more_than_a_new_limit_allows_leave_at_once(scaler: Autoscaler) -> None:
    grown(scaler, 100.0)
    scaler.reconfigure(DynamicAllocatorConfig(max_workers=6))
    assert shrink(scaler, 101.0, needed=50) == 2
    scaler.reconfigure(None)
    assert shrink(scaler, 102.0, needed=50) == 6
    assert grow(scaler, 200.0) == 0
