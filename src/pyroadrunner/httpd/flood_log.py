"""Log lines that many clients may cause at the same moment."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pyroadrunner.log import Log

_EVERY = 1.0  # seconds between two lines of one kind
_KINDS = 256  # that are remembered; clients can influence the text of errors


class FloodLog:
    """Writes one line a second for each kind; it says in ``times`` for how many cases it stands.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._written: dict[tuple[str, str], tuple[float, int]] = {}  # by kind: when, and the cases since then

    def warning(self, message: str, kind: str = "", **fields: Any) -> None:
        """Write a line, or only count.

        Args:
            kind: lines with the same message and kind are alike.
        """
        self._write(logging.WARNING, message, kind, fields)

    def error(self, message: str, kind: str = "", **fields: Any) -> None:
        """The same, as an error."""
        self._write(logging.ERROR, message, kind, fields)

    def _write(self, level: int, message: str, kind: str, fields: dict[str, Any]) -> None:
        now = self._clock()
        key = message, kind
        at, more = self._written.get(key, (now - _EVERY, 0))
        if now - at < _EVERY:
            self._written[key] = at, more + 1
            return
        if len(self._written) >= _KINDS and key not in self._written:
            self._written.clear()
        self._written[key] = now, 0
        self._log.write(level, message, {**fields, "times": more + 1} if more else fields)
