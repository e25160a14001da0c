"""Figures of the last hour: a minute by seconds, an hour by tens of seconds. Its memory is allocated once. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

FINE, COARSE = 60, 360  # points
COARSE_STEP = 10  # seconds

FIGURES = ("requests", "errors", "p50", "p99", "calls", "queued", "busy", "workers", "memory")
_ABSENT = float("nan")


class Ring:
    """The last points of some figures.

    Args:
        size: number of points.
        step: seconds from one to the next.
    """

    def __init__(self, size: int, step: float) -> None:
        self.size = size
        self.step = step
        self._rows = {name: array("d", [_ABSENT]) * size for name in FIGURES}
        self._times = array("d", [0.0]) * size
        self._next = 0
        self._filled = 0

    def __repr__(self) -> str:
        return f"Ring({self._filled}/{self.size}, every {self.step:g} s)"

    def add(self, time: float, point: Mapping[str, float]) -> None:
        """Add a point; the oldest one gives way.

        Args:
            time: Unix time.
            point: missing figures are gaps.
        """
        at = self._next
        self._times[at] = time
        for name, row in self._rows.items():
            row[at] = point.get(name, _ABSENT)
        self._next = (at + 1) % self.size
        self._filled = min(self._filled + 1, self.size)

    def last(self) -> dict[str, float | None]:
        """The newest point; empty = there is none yet."""
        if not self._filled:
            return {}
        at = self._next - 1
        return {"time": self._times[at], **{name: _number(row[at]) for name, row in self._rows.items()}}

    def columns(self) -> dict[str, Sequence[float | None]]:
        """``time`` and each figure, oldest first; ``None`` = a gap."""
        order = range(self._next - self._filled, self._next)
        found: dict[str, Sequence[float | None]] = {"time": [self._times[at % self.size] for at in order]}
        for name, row in self._rows.items():
            found[name] = [_number(row[at % self.size]) for at in order]
        return found


def _number(value: float) -> float | None:
    return None if value != value else round(value, 6)  # NaN equals nothing
