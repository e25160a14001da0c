from __future__ import annotations

from datetime import UTC
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from pyroadrunner.plugins.schedule.cron import CronExpression
from pyroadrunner.plugins.schedule.timetable import (
    CronTimes,
    IntervalTimes,
    OneTime,
    delay_of,
    local_time,
    newest_slots,
    next_slot,
)


def test_an_interval_counts_from_the_epoch_so_that_all_servers_mean_the_same_times() -> None:
    assert list(islice(IntervalTimes(90_000).slots(1_000_000), 3)) == [1_080_000, 1_170_000, 1_260_000]
    assert next_slot(IntervalTimes(90_000), 1_080_000) == 1_170_000


def test_a_single_time_is_in_the_future_or_not_at_all() -> None:
    assert next_slot(OneTime(5000), 4999) == 5000
    assert next_slot(OneTime(5000), 5000) is None


def test_the_newest_slots_of_a_long_time_are_found_without_looking_at_all() -> None:
    looked = 0

    class Counting(IntervalTimes):
        def slots(self, after: int):  # type: ignore[no-untyped-def]
            nonlocal looked
            for slot in super().slots(after):
                looked += 1
                yield slot

    day = 86_400_000
    assert newest_slots(Counting(1000), 0, 400 * day, 3) == [400 * day - 2000, 400 * day - 1000, 400 * day]
    assert looked < 100


def test_rare_slots_are_found_however_far_back() -> None:
    yearly = CronTimes(CronExpression("@yearly"), UTC)
    assert len(newest_slots(yearly, 0, 40 * 31_557_600_000, 1000)) == 40
    assert newest_slots(yearly, 1000, 2000, 5) == []


def test_a_delay_is_the_same_everywhere_within_its_limit_and_spread() -> None:
    delays = [delay_of("report", slot, 30_000) for slot in range(0, 600_000, 1000)]
    assert delays == [delay_of("report", slot, 30_000) for slot in range(0, 600_000, 1000)]
    assert 0 <= min(delays) < 1000
    assert 29_000 < max(delays) <= 30_000
    assert delay_of("other", 0, 30_000) != delay_of("report", 0, 30_000)
    assert delay_of("report", 0, 0) == 0


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-24 18:00", "2026-12-24T17:00:00+00:00"),
        ("2026-12-24T18:00:00.500", "2026-12-24T17:00:00.500+00:00"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+00:00"),
        ("2026-12-24 18:00-05:00", "2026-12-24T23:00:00+00:00"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00+00:00"),
        ("2026-03-29 02:30", "2026-03-29T01:30:00+00:00"),
    ],
)
def test_a_date_with_a_time_is_read_in_the_time_zone(text: str, expected: str) -> None:
    assert local_time(text, BERLIN) == local_time(expected, UTC)


@pytest.mark.parametrize("text", ["2026-12-24", "tomorrow", "2026-13-01 00:00", ""])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        local_time(text, BERLIN)
