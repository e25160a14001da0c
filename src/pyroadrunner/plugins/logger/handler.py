"""From stdlib ``logging`` to sinks: records of our channels and of other libraries."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import LogLine
from pyroadrunner.log import ROOT
from pyroadrunner.plugins.logger.encoders import Encoder
from pyroadrunner.plugins.logger.sink import Sink

_PREFIX = len(ROOT) + 1
_NO_FIELDS: Mapping[str, Any] = {}

Listener = Callable[[LogLine], None]


class ChannelHandler(logging.Handler):
    """Encodes the records of ``pyroadrunner.log`` channels. It takes no lock: sinks have their own.

    Args:
        routes: each encoder with the sinks that get its lines.

    Attributes:
        listeners: called with each line.
    """

    listeners: tuple[Listener, ...] = ()

    def __init__(self, routes: Sequence[tuple[Encoder, Sequence[Sink]]]) -> None:
        super().__init__()
        self._routes = [(encode, tuple(sinks)) for encode, sinks in routes]

    def handle(self, record: logging.LogRecord) -> bool:
        fields: Mapping[str, Any] = getattr(record, "fields", _NO_FIELDS)
        self._put(record.levelno, record.name[_PREFIX:], record.msg, fields)
        return True

    def flush(self) -> None:
        for _, sinks in self._routes:
            for sink in sinks:
                sink.drain()

    def _put(self, level: int, channel: str, message: str, fields: Mapping[str, Any]) -> None:
        ns = time.time_ns()
        for encode, sinks in self._routes:
            line = encode(level, ns, channel, message, fields)
            for sink in sinks:
                sink.put(line, at_once=level >= logging.ERROR)
        for listener in self.listeners:
            listener(LogLine(ns, level, channel, message, fields))


class ForeignHandler(ChannelHandler):
    """Encodes the records of other libraries and of Python's ``warnings``; the channel is the name of the logger."""

    def handle(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # a library's invalid format string; log the text unformatted
            message = str(record.msg)
        fields: dict[str, Any] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = str(record.exc_info[1])
            fields["trace"] = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
        self._put(record.levelno, record.name, message, fields)
        return True
