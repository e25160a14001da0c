from __future__ import annotations

from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from pyroadrunner.plugins.schedule.cron import MACROS, BadExpression, CronExpression

BERLIN = ZoneInfo("Europe/Berlin")  # to summer: 2026-03-29 02:00 -> 03:00; to winter: 2026-10-25 03:00 -> 02:00


def ms(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def times(text: str, after: int, count: int, zone: str = "Europe/Berlin") -> list[str]:
    """The next times, with their offsets from UTC."""
    found = islice(CronExpression(text).times(after, ZoneInfo(zone)), count)
    return [datetime.fromtimestamp(time / 1000, ZoneInfo(zone)).isoformat()[5:22] for time in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/15 * * * *", ["06-01T12:15:00+02", "06-01T12:30:00+02"]),
        ("*/20 * * * * *", ["06-01T12:00:20+02", "06-01T12:00:40+02"]),
        ("15,45 30 12 * * *", ["06-01T12:30:15+02", "06-01T12:30:45+02"]),
        ("0 9 * * MON-FRI", ["06-02T09:00:00+02", "06-03T09:00:00+02"]),
        ("0 0 L * *", ["06-30T00:00:00+02", "07-31T00:00:00+02"]),
        ("0 0 * * FRI#1", ["06-05T00:00:00+02", "07-03T00:00:00+02"]),
        ("@daily", ["06-02T00:00:00+02", "06-03T00:00:00+02"]),
        ("@Hourly", ["06-01T13:00:00+02", "06-01T14:00:00+02"]),
    ],
)
def test_the_next_times(text: str, expected: list[str]) -> None:
    assert times(text, ms("2026-06-01 12:00:00"), 2) == expected


def test_a_time_is_later_than_the_given_one_to_the_millisecond() -> None:
    noon = ms("2026-06-01 12:00:00")
    every_second = CronExpression("* * * * * *")
    assert next(every_second.times(noon, BERLIN)) == noon + 1000
    assert next(every_second.times(noon - 1, BERLIN)) == noon
    assert next(CronExpression("0 12 * * *").times(noon - 1, BERLIN)) == noon


@pytest.mark.parametrize("text", ["30 2 * * *", "0 30 2 * * *"])
def test_in_the_night_without_half_past_two_a_run_is_at_three_whatever_the_number_of_fields(text: str) -> None:
    assert times(text, ms("2026-03-28 12:00"), 2) == ["03-29T03:00:00+02", "03-30T02:30:00+02"]


def test_seconds_are_kept_when_the_minute_moves() -> None:
    assert times("5,50 30 2 * * *", ms("2026-03-28 12:00"), 2) == ["03-29T03:00:05+02", "03-29T03:00:50+02"]


@pytest.mark.parametrize("text", ["30 2 * * *", "0 30 2 * * *"])
def test_in_the_night_with_two_half_past_two_a_run_is_at_the_first_only(text: str) -> None:
    assert times(text, ms("2026-10-24 12:00"), 2) == ["10-25T02:30:00+02", "10-26T02:30:00+01"]


@pytest.mark.parametrize("text", ["30 2 * * *", "0 30 2 * * *"])
def test_from_the_second_of_two_equal_hours_the_first_is_not_found_again(text: str) -> None:
    assert times(text, ms("2026-10-25 02:10", fold=1), 1) == ["10-26T02:30:00+01"]


def test_a_run_every_half_hour_goes_on_through_both_nights() -> None:
    assert times("*/30 * * * *", ms("2026-03-29 01:00"), 3) == [
        "03-29T01:30:00+01",
        "03-29T03:00:00+02",
        "03-29T03:30:00+02",
    ]
    assert times("*/30 * * * *", ms("2026-10-25 01:30"), 5) == [
        "10-25T02:00:00+02",
        "10-25T02:30:00+02",
        "10-25T02:00:00+01",
        "10-25T02:30:00+01",
        "10-25T03:00:00+01",
    ]


def test_a_run_every_second_hour_by_the_clock_misses_the_hour_that_is_not_there() -> None:
    assert times("0 */2 * * *", ms("2026-03-29 00:30"), 2) == ["03-29T04:00:00+02", "03-29T06:00:00+02"]


def test_a_midnight_that_is_not_there_is_the_end_of_the_gap() -> None:
    """Santiago sets its clocks forward at midnight."""
    assert times("0 0 * * *", ms("2026-09-05 12:00", "America/Santiago"), 2, "America/Santiago") == [
        "09-06T01:00:00-03",
        "09-07T00:00:00-03",
    ]


def test_all_times_of_a_year_are_different_and_in_order_in_each_zone() -> None:
    for zone in ("Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca"):
        begin = ms("2026-01-01 00:00", zone)
        for text, count in (("0 * * * *", 365 * 24), ("7 1,2,3 * * *", 365 * 3), ("0,30 0 2 * * *", 365 * 2)):
            found = list(islice(CronExpression(text).times(begin, ZoneInfo(zone)), count - 10))
            assert all(a < b for a, b in pairwise(found)), (zone, text)
            assert datetime.fromtimestamp(found[-1] / 1000, ZoneInfo(zone)).year == 2026, (zone, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("61 * * * *", '"61 * * * *": bad minute "61" (field 1 of 5); allowed are 0-59'),
        ("* * * * * 9", '"* * * * * 9": bad day-of-week "9" (field 6 of 6); allowed are 0-7, SUN-SAT, 5L, MON#2'),
        ("* 1-x * * *", '"* 1-x * * *": bad hour "1-x" (field 2 of 5); allowed are 0-23'),
        ("99 * * * * *", '"99 * * * * *": bad second "99" (field 1 of 6); allowed are 0-59'),
        ("* * *", '"* * *" has 3 fields; a cron expression has 5, or 6 with seconds first'),
        ("0 0 31 2 *", '"0 0 31 2 *": bad day-of-month "31" (field 3 of 5); allowed are 1-31, L, LW'),
        ("@every 5m", f'"@every 5m" is not one of {", ".join(MACROS)}; use `interval`'),
        ("@reboot", f'"@reboot" is not one of {", ".join(MACROS)}'),
    ],
)
def test_an_error_shows_the_field(text: str, message: str) -> None:
    with pytest.raises(BadExpression) as raised:
        CronExpression(text)
    assert str(raised.value) == message


def test_an_expression_that_never_matches_has_no_times() -> None:
    assert next(CronExpression("* * */20 * 1L").times(ms("2026-01-01 00:00"), BERLIN), None) is None
