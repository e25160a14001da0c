"""Human-readable numbers in RoadRunner's notation (dustin/go-humanize). Pure."""

from __future__ import annotations

import math

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WEEK, _MONTH = 7 * _DAY, 30 * _DAY
_YEAR = 12 * _MONTH
_AGES = (  # up to this age; name of the unit; its seconds
    (_MINUTE, "second", 1),
    (_HOUR, "minute", _MINUTE),
    (_DAY, "hour", _HOUR),
    (_WEEK, "day", _DAY),
    (_MONTH, "week", _WEEK),
    (_YEAR, "month", _MONTH),
    (math.inf, "year", _YEAR),
)


def size(count: int) -> str:
    """``14 MB``, ``1.9 MB``, ``999 B``: powers of 1000, one decimal below ten."""
    if count < 10:
        return f"{count} B"
    power = min(int(math.log10(count)) // 3, len(_UNITS) - 1)
    value = math.floor(count / 1000**power * 10 + 0.5) / 10
    return f"{value:.1f} {_UNITS[power]}" if value < 10 and power else f"{value:.0f} {_UNITS[power]}"


def count(number: int) -> str:
    """``1,234``."""
    return f"{number:,}"


def percent(value: float) -> str:
    """``0.57``."""
    return f"{value:.2f}"


def ago(seconds: float) -> str:
    """``now``, ``1 second ago``, ``3 weeks ago``: an age in whole units.

    Args:
        seconds: the age; less than a second (or negative, by clock skew) is ``now``.
    """
    if seconds < 1:
        return "now"
    unit, length = next((unit, length) for below, unit, length in _AGES if seconds < below)
    number = int(seconds // length)
    return f"{number} {unit}{'' if number == 1 else 's'} ago"


def duration(seconds: float) -> str:
    """``0.3 s``, ``12 s``, ``2 min 5 s``: a duration."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"
