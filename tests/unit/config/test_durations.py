"""Durations in Go's notation, parsed and formatted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.config.durations import format_duration, parse_duration

READ = [
    ("0", 0.0),
    ("0s", 0.0),
    ("10s", 10.0),
    ("1h2m3s", 3723.0),
    ("1m30s", 90.0),
    ("500ms", 0.5),
    ("1.5s", 1.5),
    (".5s", 0.5),
    ("5.s", 5.0),
    ("100us", 0.0001),
    ("100\u00b5s", 0.0001),
    ("100\u03bcs", 0.0001),
    ("7ns", 7e-9),
    ("+3s", 3.0),
    ("-2m", -120.0),
    ("24h", 86400.0),
    ("1s1s", 2.0),
]


@pytest.mark.parametrize(("text", "seconds"), READ)
def test_a_duration_is_parsed_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("-", "is empty"),
        ("60", 'has no unit; write "60s" for seconds'),
        ("1.5", "has no unit"),
        ("1d", 'a day is "24h"'),
        ("5 s", "is not a duration"),
        ("1sec", 'unknown unit "sec"'),
        ("s", "is not a duration"),
        (".s", "is not a duration"),
        ("1h2", "is not a duration"),
        ("9999999h", "longer than 292 years"),
        ("9" * 5000 + "s", "longer than 292 years"),
        ("\u0661s", "is not a duration"),  # an Arabic digit one, which int() would accept
    ],
)
def test_an_invalid_duration_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (7e-9, "7ns"),
        (0.0000015, "1.5us"),
        (0.5, "500ms"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3723.25, "1h2m3.25s"),
        (-120, "-2m"),
    ],
)
def test_a_duration_is_formatted_in_the_usual_notation(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(2**50), max_value=2**50))
def test_decoding_reverses_encoding(nanoseconds: int) -> None:
    seconds = nanoseconds / 1e9
    assert parse_duration(format_duration(seconds)) == seconds
