"""The ``logs`` section."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import msgspec

from pyroadrunner.config.values import StringList

MODES = ("production", "development", "raw", "none", "off")
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.ERROR + 1,
    "panic": logging.ERROR + 2,
    "fatal": logging.CRITICAL,
}
ENCODINGS = ("console", "json")
NOTHING = logging.CRITICAL + 1  # a level no line has


class FileLoggerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs.file_logger_options``: JSON lines in a file that is rotated. Zero means the default."""

    log_output: str
    """The file; its folder is made when missing."""
    max_size: int = 100
    """Size in MB (2**20 bytes) at which the file is put aside and a new one started."""
    max_age: int = 24
    """Days after which files put aside are removed."""
    max_backups: int = 10
    """How many files put aside are kept."""
    compress: bool = False
    """Whether files put aside are compressed with gzip."""


class ChannelConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs.channels.<name>``: how the lines of one channel look. Nothing is inherited from ``logs``."""

    mode: str = "development"
    """``production``, ``development``, ``raw``, or ``none`` (also ``off``) for no lines at all."""
    level: str = ""
    """Lowest level written: debug, info, warn, error, dpanic, panic, fatal; empty = debug in development, else info."""
    encoding: str = ""
    """``console`` or ``json``; empty = json in production, else console."""
    output: StringList = msgspec.field(default_factory=lambda: ["stderr"])
    """``stdout``, ``stderr`` and paths of files, which are appended to."""
    err_output: StringList = msgspec.field(default_factory=lambda: ["stderr"])
    """Where the logger says that it could not write; error lines go to ``output`` like all others."""
    line_ending: str = "\n"
    """What ends a line; empty = a newline."""
    file_logger_options: FileLoggerConfig | None = None
    """When set, used in place of ``output`` and ``encoding``."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """An encoding nobody knows stops a start, as in RoadRunner."""
        if self.encoding and self.encoding.lower() not in ENCODINGS:
            yield "encoding", f'no encoder registered for name "{self.encoding}"; use console or json'

    def warnings(self) -> Iterator[tuple[str, str]]:
        """What RoadRunner takes in silence."""
        if self.mode.lower() not in MODES:
            yield "mode", f'"{self.mode}" is not a mode; lines look as in development'
        if self.level and self.level.lower() not in LEVELS:
            yield "level", f'"{self.level}" is not a level; {_level_word(self.own_level())} is used'

    def threshold(self) -> int:
        """The lowest ``logging`` level that is written."""
        if self.mode.lower() in ("none", "off"):
            return NOTHING
        return LEVELS.get(self.level.lower(), self.own_level())

    def own_level(self) -> int:
        """What counts when ``level`` is not set or not a level: the mode's own."""
        return logging.INFO if self.mode.lower() in ("production", "raw") else logging.DEBUG

    def is_for_people(self) -> bool:
        """Whether a terminal gets lines of its own: in development's console, which any unknown mode is, too."""
        return self.mode.lower() not in ("production", "raw") and not self.is_json()

    def is_json(self) -> bool:
        if self.file_logger_options is not None:
            return True
        return (self.encoding.lower() or ("json" if self.mode.lower() == "production" else "console")) == "json"


class LogsConfig(ChannelConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs``."""

    level: str = "debug"
    """Lowest level written: debug, info, warn, error, dpanic, panic, fatal."""
    channels: dict[str, ChannelConfig] = msgspec.field(default_factory=dict)
    """Settings of single channels (``http``, ``server``, ...), in place of those above."""


def _level_word(level: int) -> str:
    return next(word for word, number in LEVELS.items() if number == level)
