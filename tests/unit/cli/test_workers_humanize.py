"""Numbers in the notation of RoadRunner's tables."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.workers import humanize

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (9, "9 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (10_000, "10 kB"),
        (14_000_000, "14 MB"),
        (45_400_000, "45 MB"),
        (1_900_000, "1.9 MB"),
        (999_999, "1000 kB"),
        (10**9, "1.0 GB"),
        (10**18, "1.0 EB"),
        (10**21, "1000 EB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert humanize.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (0.9, "now"),
        (1, "1 second ago"),
        (2, "2 seconds ago"),
        (MINUTE - 0.1, "59 seconds ago"),
        (MINUTE, "1 minute ago"),
        (2 * MINUTE, "2 minutes ago"),
        (HOUR, "1 hour ago"),
        (DAY - 1, "23 hours ago"),
        (DAY, "1 day ago"),
        (6.9 * DAY, "6 days ago"),
        (7 * DAY, "1 week ago"),
        (29 * DAY, "4 weeks ago"),
        (30 * DAY, "1 month ago"),
        (359 * DAY, "11 months ago"),
        (360 * DAY, "1 year ago"),
        (725 * DAY, "2 years ago"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert humanize.ago(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (0.34, "0.3 s"), (12.9, "12 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert humanize.duration(seconds) == text


def test_counts_and_percentages() -> None:
    assert [humanize.count(n) for n in (0, 999, 1234, 1_234_567)] == ["0", "999", "1,234", "1,234,567"]
    assert [humanize.percent(n) for n in (0.0, 0.571, 100.0)] == ["0.00", "0.57", "100.00"]
