"""Logging for all modules: a channel name, a message, and fields.

The channels are RoadRunner's (``server``, ``http``, ``rpc``, ...). The ``logs`` plugin decides the output and format:
it installs a handler on the ``rr`` logger of the standard library. Until then nothing is written.
"""

from __future__ import annotations

import logging
from typing import Any

ROOT = "rr"  # all channels are below this stdlib logger, so that "http" never collides with a library's logger

logging.getLogger(ROOT).addHandler(logging.NullHandler())
logging.getLogger(ROOT).propagate = False


class Log:
    """A channel of the server's log. Cheap when the level is off: one comparison, no formatting.

    ``fields`` are stored on the record as ``record.fields`` (``dict[str, Any]`` with JSON-able values; ``float``
    seconds for durations, :class:`datetime.datetime` for times). The handler prints them in the given order.
    """

    __slots__ = ("_logger", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._logger = logging.getLogger(f"{ROOT}.{name}")

    def __repr__(self) -> str:
        return f"Log({self.name!r}, level={logging.getLevelName(self._logger.getEffectiveLevel())})"

    def debug(self, message: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, message, fields)

    def write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        """Write a line of a ``logging`` level. The names of the fields may be any text."""
        if self._logger.isEnabledFor(level):
            self._write(level, message, fields)

    def enabled_for(self, level: int) -> bool:
        """Whether a line of this ``logging`` level would be written. Check it before building costly fields."""
        return self._logger.isEnabledFor(level)

    def _write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        # No caller lookup and no %-arguments: RoadRunner's lines carry neither, and both cost microseconds.
        record = logging.LogRecord(self._logger.name, level, "", 0, message, None, None)
        record.fields = fields
        self._logger.handle(record)
