"""Captures the log of a channel in a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyroadrunner.log import ROOT


class Lines(logging.Handler):
    """Keeps the log lines: level, message, fields."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, record.getMessage(), record.__dict__["fields"]))

    def of(self, message: str) -> list[dict[str, Any]]:
        """Fields of the lines with this message."""
        return [fields for _, text, fields in self.lines if text == message]

    @property
    def messages(self) -> list[str]:
        return [text for _, text, _ in self.lines]


@contextmanager
def logged(channel: str, level: int = logging.DEBUG) -> Iterator[Lines]:
    """Capture the log lines of a channel, from this level on."""
    logger = logging.getLogger(f"{ROOT}.{channel}")
    before = logger.level
    lines = Lines()
    logger.addHandler(lines)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
