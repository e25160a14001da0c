"""Cron expressions. Pure.

cronsim evaluates them like Debian's cron, daylight saving time included, but only expressions without seconds: with
seconds it skips a run at 2:30 in the night that has no 2:30, and runs it twice in the night that has two. So cronsim
gets the five other fields here, and the seconds are added to each minute that it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from cronsim import CronSim, CronSimError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_ANY_TIME = datetime(2000, 1, 1)
_FIELDS = {  # of cronsim's messages; what is allowed
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L, LW",
    "month": "1-12, JAN-DEC",
    "day-of-week": "0-7, SUN-SAT, 5L, MON#2",
}


class BadExpression(ValueError):
    """The text is not a cron expression; the message says which field is wrong."""


class CronExpression:
    """Five fields (minute, hour, day of month, month, day of week), six with seconds first, or one of ``MACROS``.

    Raises:
        BadExpression
    """

    def __init__(self, text: str) -> None:
        self.text = text
        fields = MACROS.get(text.strip().lower(), text).split()
        try:
            parsed = CronSim(" ".join(fields), _ANY_TIME)
        except CronSimError as wrong:
            raise BadExpression(_explain(text, fields, str(wrong))) from wrong
        self._seconds = sorted(parsed.seconds)
        self._minutes = " ".join(fields[-5:])

    def __repr__(self) -> str:
        return f"CronExpression({self.text!r})"

    def times(self, after: int, zone: tzinfo) -> Iterator[int]:
        """All times later than ``after``, in order; ends if there is none within 50 years."""
        minute_before = datetime.fromtimestamp(after // 60_000 * 60 - 1, zone)
        for minute in CronSim(self._minutes, minute_before):
            begins = int(minute.timestamp()) * 1000
            for second in self._seconds:
                # In the second of two equal hours cronsim begins with times of the first one.
                if begins + second * 1000 > after:
                    after = begins + second * 1000
                    yield after


def _explain(text: str, fields: list[str], wrong: str) -> str:
    if text.strip().startswith("@"):
        more = "; use `interval`" if text.strip().startswith("@every") else ""
        return f'"{text}" is not one of {", ".join(MACROS)}{more}'
    if len(fields) not in (5, 6):
        return f'"{text}" has {len(fields)} fields; a cron expression has 5, or 6 with seconds first'
    names = list(_FIELDS)[6 - len(fields) :]
    name = wrong.removeprefix("Bad ")
    if name not in names:
        return f'"{text}": {wrong}'
    at = names.index(name)
    return f'"{text}": bad {name} "{fields[at]}" (field {at + 1} of {len(fields)}); allowed are {_FIELDS[name]}'
