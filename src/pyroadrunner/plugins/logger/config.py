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
NOTHING = logging.CRITICAL + 1  # above all levels


class FileLoggerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs.file_logger_options``: JSON lines in a rotated file. Zero means the default."""

    log_output: str
    """The file; a missing folder is created."""
    max_size: int = 100
    """Size in MB (2**20 bytes) at which the file is rotated."""
    max_age: int = 24
    """Days after which rotated files are removed."""
    max_backups: int = 10
    """Number of rotated files to keep."""
    compress: bool = False
    """Whether to compress rotated files with gzip."""


class ChannelConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs.channels.<name>``: format and outputs of one channel. Nothing is inherited from ``logs``."""

    mode: str = "development"
    """``production``, ``development``, ``raw``, or ``none`` (also ``off``) for no log."""
    level: str = ""
    """Lowest level to write: debug, info, warn, error, dpanic, panic, fatal; empty = debug in development, else
    info."""
    encoding: str = ""
    """``console`` or ``json``; empty = json in production, else console."""
    output: StringList = msgspec.field(default_factory=lambda: ["stderr"])
    """``stdout``, ``stderr``, and paths of files to append to."""
    err_output: StringList = msgspec.field(default_factory=lambda: ["stderr"])
    """Where the logger reports write errors of its own; error lines go to ``output`` like all others."""
    line_ending: str = "\n"
    """Line ending; empty = a newline."""
    file_logger_options: FileLoggerConfig | None = None
    """If set, replaces ``output`` and ``encoding``."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """An unknown encoding prevents the start, as in RoadRunner."""
        if self.encoding and self.encoding.lower() not in ENCODINGS:
            yield "encoding", f'no encoder registered for name "{self.encoding}"; use console or json'

    def warnings(self) -> Iterator[tuple[str, str]]:
        """Values that RoadRunner accepts silently."""
        if self.mode.lower() not in MODES:
            yield "mode", f'"{self.mode}" is not a mode; development is used'
        if self.level and self.level.lower() not in LEVELS:
            yield "level", f'"{self.level}" is not a level; {_level_word(self.own_level())} is used'

    def threshold(self) -> int:
        """The lowest ``logging`` level to write."""
        if self.mode.lower() in ("none", "off"):
            return NOTHING
        return LEVELS.get(self.level.lower(), self.own_level())

    def own_level(self) -> int:
        """The default level of the mode, used if ``level`` is not set or invalid."""
        return logging.INFO if self.mode.lower() in ("production", "raw") else logging.DEBUG

    def is_for_people(self) -> bool:
        """Whether terminals get the terminal format: for the console encoding of development and unknown modes."""
        return self.mode.lower() not in ("production", "raw") and not self.is_json()

    def is_json(self) -> bool:
        if self.file_logger_options is not None:
            return True
        return (self.encoding.lower() or ("json" if self.mode.lower() == "production" else "console")) == "json"


class LogsConfig(ChannelConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``logs``: where log lines go, in which format, and from which level on."""

    level: str = "debug"
    """Lowest level to write: debug, info, warn, error, dpanic, panic, fatal."""
    channels: dict[str, ChannelConfig] = msgspec.field(default_factory=dict)
    """Settings of single channels (``http``, ``server``, ...), which replace those above."""


def _level_word(level: int) -> str:
    return next(word for word, number in LEVELS.items() if number == level)
