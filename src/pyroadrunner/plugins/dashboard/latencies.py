"""Durations of requests in buckets, and their quantiles. Pure.

A bucket is a tenth wider than the one below, so a quantile is at most 5 % off. Counting a request takes a logarithm
and an addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

_LEAST = 0.0001  # seconds; what is faster counts as this
_GROWTH = 1.1
_FACTOR = 1 / log(_GROWTH)
_BUCKETS = 150  # the last one begins at 150 s


class Latencies:
    """Counts of durations since the start.

    Attributes:
        counts: per bucket.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * _BUCKETS

    def __repr__(self) -> str:
        return f"Latencies({sum(self.counts)})"

    def add(self, seconds: float) -> None:
        """Count a request. On the hot path."""
        bucket = int(log(seconds / _LEAST) * _FACTOR) if seconds > _LEAST else 0
        self.counts[bucket if bucket < _BUCKETS else _BUCKETS - 1] += 1


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
    return float(_LEAST * _GROWTH ** (found + 0.5))
