"""The times of the protocol: RFC 3339 text <-> unix time in milliseconds. Pure.

PHP's format has no fractions of a second, so none are written; they are accepted when reading.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_LAYOUT = "2006-01-02T15:04:05Z07:00"  # the layout in Go's error messages
_PARTS = (
    ("2006", r"\d{4}"),
    ("-", "-"),
    ("01", r"\d\d"),
    ("-", "-"),
    ("02", r"\d\d"),
    ("T", "T"),
    ("15", r"\d\d"),
    (":", ":"),
    ("04", r"\d\d"),
    (":", ":"),
    ("05", r"\d\d(?:[.,]\d+)?"),
    ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class BadTimestamp(ValueError):
    """An invalid timestamp; the message is Go's, since it reaches PHP."""


def parse_timestamp(text: str) -> int:
    """Parse to unix time in milliseconds; finer digits are dropped.

    Raises:
        BadTimestamp
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadTimestamp(_go_fault(text))
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError as error:  # a 13th month, a 30th of February
        raise BadTimestamp(f'parsing time "{text}": {_out_of_range(error)} out of range') from None
    ms = (moment - _EPOCH) // _MILLISECOND
    if fraction:
        ms += int(fraction[:3].ljust(3, "0"))
    if sign:
        offset = (int(hours) * 60 + int(minutes)) * 60_000
        ms += -offset if sign == "+" else offset
    return ms


def format_timestamp(ms: int) -> str:
    """The instant in UTC, whole seconds, as PHP writes it: ``2024-01-02T03:04:05+00:00``."""
    try:
        return (_EPOCH + ms // 1000 * 1000 * _MILLISECOND).isoformat()
    except OverflowError:  # a time beyond year 9999, from another server
        return "9999-12-31T23:59:59+00:00"


def _go_fault(text: str) -> str:
    """The message of Go's ``time.Parse``: the first part that does not match."""
    at = 0
    for part, form in _PARTS:
        found = re.compile(form, re.ASCII).match(text, at)
        if found is None:
            return f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{text[at:]}" as "{part}"'
        at = found.end()
    return f'parsing time "{text}": extra text: "{text[at:]}"'


def _out_of_range(error: ValueError) -> str:
    first = str(error).split(" ", 1)[0]
    return first if first in ("month", "day", "hour", "minute", "second") else "day"
