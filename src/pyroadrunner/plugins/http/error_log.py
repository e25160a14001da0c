"""Log lines of failed requests. Names and fields are RoadRunner's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.workers.errors import SOFT_ERROR, ExecTimeout, WorkerError, WorkerFailed
from pyroadrunner.workers.exception_text import parse

_EVERY = 1.0  # seconds between lines about an overload: logging thousands of refusals a second would add to the load

log = Log("http")


def log_error(what: str, error: Exception, began: float, request: Mapping[str, str]) -> None:
    """Log one line at level error: ``start``, ``elapsed`` and ``error`` as in RoadRunner, then our own fields.

    An exception from a worker is parsed: ``error`` is its message, ``trace`` a list of its lines.

    Args:
        what: ``request forming error``, ``payload forming error``, ``execute``, ``read stream``,
            ``write response error``, ``write response (chunk) error``.
        began: monotonic time of the start of the request.
        request: fields that identify the request: ``method``, ``path``, ``pool``.
    """
    elapsed = monotonic() - began
    start = datetime.now(UTC) - timedelta(seconds=elapsed)
    fields: dict[str, Any] = {"start": start, "elapsed": int(elapsed * 1000), "error": str(error), **request}
    if isinstance(error, WorkerError):
        fields["pid"] = error.pid
    if isinstance(error, ExecTimeout):
        fields["exec_ttl"] = error.limit
    if isinstance(error, WorkerFailed):
        message, trace = parse(error.text)
        fields["error"] = f"{SOFT_ERROR}{message}"
        if trace:
            fields["trace"] = trace
    log.write(logging.ERROR, what, fields)


class OverloadLog:
    """Logs refused requests: the first immediately, then their number once a second."""

    def __init__(self) -> None:
        self._said = -_EVERY
        self._refused = 0

    def __repr__(self) -> str:
        return f"OverloadLog(refused={self._refused} since the last line)"

    def refused(self, error: Exception, now: float) -> None:
        """Count one refused request and log if it is due.

        Args:
            now: monotonic seconds.
        """
        self._refused += 1
        if now - self._said >= _EVERY:
            log.warning("execute: requests are refused", error=str(error), refused=self._refused)
            self._said = now
            self._refused = 0
