"""The last lines of the log, while the dashboard is on. Bounded: a thousand lines of a few kilobytes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from pyroadrunner.contracts import LogLine

_LINES = 1000
_LONGEST = 2000  # characters of a message, and of a field
_MOST_FIELDS = 40
_SMALL = frozenset({int, float, bool, type(None), datetime})
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {number: name for name, number in LEVELS.items()}


class ShownLine(msgspec.Struct, kw_only=True):
    """A line for the browser.

    Attributes:
        seq: its number since the start.
        time: Unix time, seconds.
    """

    seq: int
    time: float
    level: str
    channel: str
    message: str
    fields: dict[str, str]


class LogFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which lines to show.

    Attributes:
        level: the lowest.
        channel: of this name and those below it; empty = all.
        text: in message or fields, whatever its case; empty = all.
    """

    level: int = logging.DEBUG
    channel: str = ""
    text: str = ""

    def matches(self, line: LogLine) -> bool:
        if line.level < self.level:
            return False
        if self.channel and line.channel != self.channel and not line.channel.startswith(f"{self.channel}."):
            return False
        if not self.text:
            return True
        wanted = self.text.lower()
        return wanted in line.message.lower() or any(
            wanted in f"{name}={value}".lower() for name, value in line.fields.items()
        )


class LogTail:
    """Keeps the last lines; :meth:`add` is a listener of :class:`~pyroadrunner.contracts.LogSource`.

    Attributes:
        last: number of the newest line; 0 = none yet.
    """

    def __init__(self, lines: int = _LINES) -> None:
        self.last = 0
        self._lines: deque[LogLine] = deque(maxlen=lines)

    def __repr__(self) -> str:
        return f"LogTail({len(self._lines)} lines)"

    def add(self, line: LogLine) -> None:
        """Keep a line; long texts are cut. Called for each line of the log, from any thread."""
        if len(line.message) > _LONGEST or len(line.fields) > _MOST_FIELDS or _has_large(line.fields.values()):
            fields = {name: _bounded(value) for name, value in islice(line.fields.items(), _MOST_FIELDS)}
            line = line._replace(message=line.message[:_LONGEST], fields=fields)
        self._lines.append(line)
        self.last += 1

    def channels(self) -> list[str]:
        """The channels of the kept lines."""
        return sorted({line.channel for line in list(self._lines)})

    def lines(self, chosen: LogFilter, after: int, most: int) -> list[ShownLine]:
        """The newest matching lines behind a number, oldest first.

        Args:
            most: how many.
        """
        found: list[ShownLine] = []
        for seq, line in self._newest():
            if seq <= after or len(found) >= most:
                break
            if chosen.matches(line):
                found.append(_shown(seq, line))
        return found[::-1]

    def _newest(self) -> Iterator[tuple[int, LogLine]]:
        seq = self.last
        for line in reversed(list(self._lines)):
            yield seq, line
            seq -= 1


def _shown(seq: int, line: LogLine) -> ShownLine:
    return ShownLine(
        seq=seq,
        time=line.time / 1e9,
        level=_NAMES.get(line.level) or logging.getLevelName(line.level).lower(),
        channel=line.channel,
        message=line.message,
        fields={str(name): str(value)[:_LONGEST] for name, value in line.fields.items()},
    )


def _has_large(values: Iterable[Any]) -> bool:
    for value in values:
        if type(value) is str:
            if len(value) > _LONGEST:
                return True
        elif type(value) not in _SMALL:
            return True
    return False


def _bounded(value: Any) -> Any:
    return value if type(value) in _SMALL else str(value)[:_LONGEST]
