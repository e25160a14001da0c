"""Timetables: the slots of an entry. Pure.

Slots do not depend on the server or on when it started, so that all servers name a run by the same slot: an interval
counts from the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from pyroadrunner.plugins.schedule.cron import BadExpression, CronExpression

_MINUTE = 60_000
_CHECKED_FROM = 1_767_225_600_000  # 2026-01-01: whether an expression ever matches


class Timetable(Protocol):
    """When an entry runs."""

    def slots(self, after: int) -> Iterator[int]:
        """All slots later than ``after``, in order; may be endless."""


class CronTimes:
    """The times of a cron expression in a time zone."""

    def __init__(self, expression: CronExpression, zone: tzinfo) -> None:
        self._expression = expression
        self._zone = zone

    def slots(self, after: int) -> Iterator[int]:
        return self._expression.times(after, self._zone)


class IntervalTimes:
    """Every ``interval`` milliseconds, counted from the epoch."""

    def __init__(self, interval: int) -> None:
        self._interval = interval

    def slots(self, after: int) -> Iterator[int]:
        slot = after // self._interval * self._interval
        while True:
            slot += self._interval
            yield slot


class OneTime:
    """A single slot."""

    def __init__(self, slot: int) -> None:
        self._slot = slot

    def slots(self, after: int) -> Iterator[int]:
        if self._slot > after:
            yield self._slot


def next_slot(timetable: Timetable, after: int) -> int | None:
    """The first slot later than ``after``."""
    return next(timetable.slots(after), None)


def newest_slots(timetable: Timetable, after: int, until: int, most: int) -> list[int]:
    """The last ``most`` slots that are later than ``after`` and not later than ``until``.

    It looks at longer and longer times before ``until``: the cost depends on ``most``, not on the length of the time.
    """
    span = _MINUTE
    while True:
        begin = max(after, until - span)
        found = list(takewhile(lambda slot: slot <= until, timetable.slots(begin)))
        if begin == after or len(found) >= most:
            return found[-most:]
        span *= 8


def delay_of(name: str, slot: int, jitter: int) -> int:
    """The delay of a run, at most ``jitter`` milliseconds. All servers compute the same.

    Args:
        name: differs between entries.
    """
    digest = hashlib.blake2b(f"{name}:{slot}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (jitter + 1)


def local_time(text: str, zone: tzinfo) -> int:
    """Read a date and time in ISO 8601. Without an offset it is in ``zone``: of a time that the clock shows twice the
    first one is meant; one that the clock skips is as long after the skip as it is after its beginning.

    Raises:
        ValueError: the text is not a date with a time.
    """
    time = datetime.fromisoformat(text)
    if len(text.strip()) <= len("2026-12-24"):
        raise ValueError(text)
    return int((time if time.tzinfo else time.replace(tzinfo=zone)).timestamp() * 1000)


def zone_of(name: str) -> tzinfo:
    """Find a time zone.

    Raises:
        ValueError: this machine does not know the name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f'"{name}" is not a time zone of this machine; write Europe/Berlin or UTC (pip install tzdata for all)'
        ) from None


def timetable_of(cron: str, interval: float, at: str, timezone: str) -> Timetable:
    """The timetable of an entry whose keys have no errors.

    Args:
        interval: seconds.
    """
    if interval:
        return IntervalTimes(round(interval * 1000))
    zone = zone_of(timezone)
    return OneTime(local_time(at, zone)) if at else CronTimes(CronExpression(cron), zone)


def wrong_times(cron: str, at: str, timezone: str) -> Iterator[tuple[str, str]]:
    """The errors of the keys of an entry; empty ones are not checked."""
    zone: tzinfo = UTC
    if timezone:
        try:
            zone = zone_of(timezone)
        except ValueError as wrong:
            yield "timezone", str(wrong)
    if cron:
        try:
            if next_slot(CronTimes(CronExpression(cron), zone), _CHECKED_FROM) is None:
                yield "cron", "never matches"
        except BadExpression as wrong:
            yield "cron", str(wrong)
    if at:
        try:
            local_time(at, zone)
        except (ValueError, OverflowError):
            yield "at", "is not a date with a time; write 2026-12-24 18:00 or 2026-12-24T18:00:00+01:00"
