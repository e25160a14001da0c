"""Which runs are due, with a clock that jumps."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.schedule.plan import Due, Plan
from pyroadrunner.plugins.schedule.timetable import IntervalTimes, OneTime

MINUTE, HOUR = 60_000, 3_600_000
NOW = 1000 * HOUR
MINUTELY = IntervalTimes(MINUTE)


def test_each_slot_is_due_once() -> None:
    plan = Plan(MINUTELY, "skip", NOW)
    found = [slot for now in range(NOW, NOW + 10 * MINUTE, 700) for slot in plan.look(now).slots]
    assert found == [NOW + n * MINUTE for n in range(1, 10)]


def test_a_late_look_finds_all_that_are_less_than_a_minute_late() -> None:
    plan = Plan(IntervalTimes(1000), "skip", NOW)
    assert plan.look(NOW + 5500) == Due([NOW + n * 1000 for n in range(1, 6)])


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("skip", Due([], [], 3)),
        ("last", Due([], [NOW + 15 * MINUTE], 2)),
        ("all", Due([], [NOW + 5 * MINUTE, NOW + 10 * MINUTE, NOW + 15 * MINUTE], 0)),
    ],
)
def test_slots_missed_by_a_clock_that_is_set_forward(catch_up, expected) -> None:  # type: ignore[no-untyped-def]
    plan = Plan(IntervalTimes(5 * MINUTE), catch_up, NOW)
    assert plan.look(NOW + 17 * MINUTE) == expected
    assert plan.look(NOW + 19 * MINUTE) == Due()
    assert plan.look(NOW + 20 * MINUTE) == Due([NOW + 20 * MINUTE])


def test_no_missed_run_is_caught_up_if_a_newer_one_is_on_time() -> None:
    plan = Plan(IntervalTimes(5 * MINUTE), "last", NOW)
    assert plan.look(NOW + 15 * MINUTE + 10) == Due([NOW + 15 * MINUTE], [], 2)


def test_at_most_a_thousand_missed_runs_are_caught_up() -> None:
    plan = Plan(IntervalTimes(1000), "all", NOW)
    due = plan.look(NOW + 24 * HOUR)
    assert len(due.slots) + len(due.caught_up) == 1000
    assert due.slots[-1] == NOW + 24 * HOUR


def test_a_clock_that_is_set_back_plans_its_slots_again() -> None:
    plan = Plan(MINUTELY, "skip", NOW)
    assert plan.look(NOW + MINUTE).slots == [NOW + MINUTE]
    assert plan.look(NOW - HOUR) == Due()
    assert plan.next == NOW - HOUR + MINUTE
    assert plan.look(NOW - HOUR + MINUTE).slots == [NOW - HOUR + MINUTE]


def test_a_clock_that_is_corrected_by_less_than_a_second_changes_nothing() -> None:
    plan = Plan(MINUTELY, "skip", NOW)
    assert plan.look(NOW + MINUTE + 100).slots == [NOW + MINUTE]
    assert plan.look(NOW + MINUTE - 400) == Due()
    assert plan.look(NOW + MINUTE + 600) == Due()


def test_a_server_that_starts_goes_on_after_the_last_claim() -> None:
    plan = Plan(MINUTELY, "skip", NOW)
    assert plan.look(NOW + 90_000) == Due([NOW + MINUTE])


def test_a_single_time_is_due_once_or_was_missed() -> None:
    plan = Plan(OneTime(NOW), "last", NOW - 5000)
    assert plan.look(NOW + 10).slots == [NOW]
    assert plan.look(NOW + HOUR) == Due()
    assert Plan(OneTime(NOW), "last", NOW - 5000).look(NOW + HOUR) == Due([], [NOW], 0)
    assert Plan(OneTime(NOW), "skip", NOW - 5000).look(NOW + HOUR) == Due([], [], 1)
    assert Plan(OneTime(NOW), "last", NOW).next is None
