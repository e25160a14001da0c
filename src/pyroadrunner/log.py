"""How every module logs: a channel name, a message, and fields.

The channels are RoadRunner's (``server``, ``http``, ``rpc``, ...). Where a line goes and how it looks is the ``logs``
plugin's business: it installs a handler on the ``rr`` logger of the standard library. Until then nothing is written.
"""

from __future__ import annotations

import logging
from typing import Any

ROOT = "rr"  # all channels live below this stdlib logger, so that "http" never collides with a library's own logger

logging.getLogger(ROOT).addHandler(logging.NullHandler())
logging.getLogger(ROOT).propagate = False


class Log:
    """A channel of the server's log. Cheap when the level is off: one comparison, no formatting.

    ``fields`` are kept on the record as ``record.fields`` (``dict[str, Any]``, JSON-able values; ``float`` seconds for
    durations, :class:`datetime.datetime` for times) and drawn by the handler in the order given.
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
        """A line of a ``logging`` level, with fields whose names are somebody else's: any text."""
        if self._logger.isEnabledFor(level):
            self._write(level, message, fields)

    def enabled_for(self, level: int) -> bool:
        """Whether a line of this ``logging`` level would be written: ask before building costly fields."""
        return self._logger.isEnabledFor(level)

    def _write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        # No caller lookup and no %-arguments: RoadRunner's lines carry neither, and both cost microseconds.
        record = logging.LogRecord(self._logger.name, level, "", 0, message, None, None)
        record.fields = fields
        self._logger.handle(record)
