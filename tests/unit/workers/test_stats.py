"""Statistics of waits."""

from __future__ import annotations

import pytest

from pyroadrunner.workers.stats import BOUNDS, PoolStats, WaitTimes


def of(*seconds: float) -> PoolStats:
    waits = WaitTimes()
    for one in seconds:
        waits.add(one)
    return PoolStats(waits=tuple(waits.counts), waited_total=waits.total, waited_longest=waits.longest)


def test_waits_are_counted_by_their_bound() -> None:
    stats = of(0.0005, 0.001, 0.3, 600.0)
    assert (stats.waits[0], stats.waits[BOUNDS.index(0.5)], stats.waits[-1]) == (2, 1, 1)
    assert (stats.waited, stats.waited_longest) == (4, 600.0)
    assert stats.waited_total == pytest.approx(600.3015)


@pytest.mark.parametrize(
    ("seconds", "share", "at_most"),
    [
        ((), 0.5, 0.0),
        ((0.002,), 0.5, 0.002),
        ((0.002, 0.002, 0.2), 0.5, 0.0025),
        ((0.002, 0.2), 0.99, 0.2),
        ((0.002, 600.0), 0.99, 600.0),
    ],
)
def test_a_quantile_of_the_waits_is_rounded_up_to_a_bound(
    seconds: tuple[float, ...], share: float, at_most: float
) -> None:
    assert of(*seconds).wait_of(share) == at_most
