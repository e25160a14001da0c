"""Times in PHP's format, and Go's error texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.kv.timestamps import BadTimestamp, format_timestamp, parse_timestamp

LAYOUT = "2006-01-02T15:04:05Z07:00"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00+00:00", 0),
        ("2024-01-02T03:04:05+00:00", 1_704_164_645_000),
        ("2024-01-02T05:34:05+02:30", 1_704_164_645_000),
        ("2024-01-01T22:04:05-05:00", 1_704_164_645_000),
        ("2024-01-02T03:04:05.5Z", 1_704_164_645_500),
        ("2024-01-02T03:04:05,123456789Z", 1_704_164_645_123),
    ],
)
def test_a_time_is_parsed_to_the_millisecond(text: str, ms: int) -> None:
    assert parse_timestamp(text) == ms


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("soon", f'parsing time "soon" as "{LAYOUT}": cannot parse "soon" as "2006"'),
        ("2024-01-02", f'parsing time "2024-01-02" as "{LAYOUT}": cannot parse "" as "T"'),
        ("2024-01-02T03:04:05", f'parsing time "2024-01-02T03:04:05" as "{LAYOUT}": cannot parse "" as "Z07:00"'),
        ("2024-01-02T03:04:05Z!", 'parsing time "2024-01-02T03:04:05Z!": extra text: "!"'),
        ("2024-13-02T03:04:05Z", 'parsing time "2024-13-02T03:04:05Z": month out of range'),
        ("2024-02-30T03:04:05Z", 'parsing time "2024-02-30T03:04:05Z": day out of range'),
        ("2024-02-03T25:04:05Z", 'parsing time "2024-02-03T25:04:05Z": hour out of range'),
    ],
)
def test_an_invalid_time_is_refused_with_gos_text(text: str, fault: str) -> None:
    with pytest.raises(BadTimestamp) as refused:
        parse_timestamp(text)
    assert str(refused.value) == fault


@pytest.mark.parametrize("ms", [1_704_164_645_000, 1_704_164_645_999])
def test_a_time_is_written_without_fractions_as_php_reads_it(ms: int) -> None:
    assert format_timestamp(ms) == "2024-01-02T03:04:05+00:00"


def test_a_time_after_year_9999_is_the_last_one() -> None:
    assert format_timestamp(10**17) == "9999-12-31T23:59:59+00:00"


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_whole_seconds_survive_a_round_trip(seconds: int) -> None:
    assert parse_timestamp(format_timestamp(seconds * 1000)) == seconds * 1000
