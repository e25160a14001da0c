"""Durations of requests in buckets, and their quantiles. Pure.

A bucket is a tenth wider than the one below, so a quantile is at most 5 % off.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence

_LEAST = 0.0001  # seconds; what is faster counts as this
_GROWTH = 1.1
_BOUNDS = tuple(_LEAST * _GROWTH**power for power in range(150))  # the last bucket begins at 146 s


class Latencies:
    """Counts of durations since the start.

    Attributes:
        counts: per bucket, of the durations that :meth:`count` has been given.
        failed: number of requests with a status of 500 and above.
        add: takes a request: status, seconds. On the hot path, so it only keeps the number, and looks no attributes up:
            to find the bucket there costs three times as much as to find those of many requests in a row.
    """

    __slots__ = ("_failed", "_new", "add", "counts")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self._new: list[float] = []
        self._failed = [0]
        self.add = _taker(self._new, self._failed)

    def __repr__(self) -> str:
        return f"Latencies({sum(self.counts)}, {len(self._new)} new)"

    @property
    def failed(self) -> int:
        return self._failed[0]

    def take(self) -> list[float]:
        """The durations since the last call, for :meth:`count`."""
        new = self._new.copy()
        self._new.clear()
        return new

    def count(self, durations: Sequence[float]) -> None:
        """Put durations into their buckets."""
        counts, bounds = self.counts, _BOUNDS
        for seconds in durations:
            counts[bisect(bounds, seconds)] += 1


def _taker(new: list[float], failed: list[int]) -> Callable[[int, float], None]:
    keep = new.append

    def add(status: int, seconds: float) -> None:
        keep(seconds)
        if status >= 500:
            failed[0] += 1

    return add


def quantile(counts: Sequence[int], share: float) -> float:
    """A quantile in seconds: the middle of its bucket; 0 = nothing was counted.

    Args:
        share: 0.5 for the median.
    """
    total = sum(counts)
    if not total:
        return 0.0
    rank, seen = share * total, 0
    found = 0
    for bucket, count in enumerate(counts):
        seen += count
        if count and seen >= rank:
            found = bucket
            break
    return float(_LEAST * _GROWTH ** (found - 0.5)) if found else _LEAST
