"""Parse and format durations in Go's notation (``"1m30s"``), which RoadRunner configs use. Pure."""

from __future__ import annotations

import re

# Go, package time, ParseDuration: "ns", "us" (or "µs"), "ms", "s", "m", "h". Both micro signs are accepted there.
NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SECOND = NANOSECONDS["s"]
_LONGEST = 2**63 - 1  # nanoseconds in Go's int64: about 292 years

_TERM = re.compile(r"(\d*)(?:\.(\d*))?([^\d.\s]+)", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)", re.ASCII)


def parse_duration(text: str) -> float:
    """Parse a Go duration into seconds: ``1h2m3s``, ``1.5s``, ``500ms``, ``-2s``, ``0``.

    Raises:
        ValueError: not a duration; the message has the reason and what to write.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError("is empty")
    if _NUMBER.fullmatch(rest):
        raise ValueError(f'has no unit; write "{text}s" for seconds')
    total = 0
    position = 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None or not (term[1] or term[2]):
            raise ValueError("is not a duration")
        total += _nanoseconds(term[1], term[2] or "", term[3])
        position = term.end()
    if total > _LONGEST:
        raise ValueError("is longer than 292 years")
    return sign * total / _SECOND


def _nanoseconds(whole: str, fraction: str, unit: str) -> int:
    scale = NANOSECONDS.get(unit)
    if scale is None:
        days = '; a day is "24h"' if unit in ("d", "day", "days") else ""
        raise ValueError(f'has an unknown unit "{unit}"; units are ns, us, ms, s, m, h{days}')
    if len(whole) > 19:  # more digits than int64 has; int() would also refuse thousands of digits
        raise ValueError("is longer than 292 years")
    # Nineteen digits of a fraction are finer than a nanosecond of the largest unit: the rest can't change the result.
    fraction = fraction[:19]
    return int(whole or "0") * scale + int(fraction or "0") * scale // int("1" + "0" * len(fraction))


def format_duration(seconds: float) -> str:
    """The shortest usual notation: ``1m30s``, ``500ms``, ``1.5s``, ``0s``. :func:`parse_duration` reads it back."""
    total = round(seconds * _SECOND)
    if total == 0:
        return "0s"
    sign, total = ("-", -total) if total < 0 else ("", total)
    for unit in ("ns", "us", "ms"):
        scale = NANOSECONDS[unit]
        if total < scale * 1000:
            return f"{sign}{_decimal(total, scale)}{unit}"
    minutes, rest = divmod(total, NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    parts.append(f"{_decimal(rest, _SECOND)}s" if rest else "")
    return sign + "".join(parts)


def _decimal(amount: int, scale: int) -> str:
    whole, rest = divmod(amount, scale)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:0{len(str(scale)) - 1}d}".rstrip("0")
