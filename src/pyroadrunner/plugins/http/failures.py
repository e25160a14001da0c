"""The log lines of requests that went wrong. Names and fields are RoadRunner's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic

from pyroadrunner.log import Log

_EVERY = 1.0  # seconds between lines about an overload: thousands of refusals a second must not become the load

log = Log("http")


def log_failure(what: str, error: object, began: float) -> None:
    """One line at level error.

    Args:
        what: ``request forming error``, ``payload forming error``, ``execute``, ``read stream``,
            ``write response error``, ``write response (chunk) error``.
        began: monotonic time the request started.
    """
    elapsed = monotonic() - began
    start = datetime.now(UTC) - timedelta(seconds=elapsed)
    log.error(what, start=start, elapsed=int(elapsed * 1000), error=str(error))


class OverloadLog:
    """Says that requests are refused: at once, then once a second with their number."""

    def __init__(self) -> None:
        self._said = -_EVERY
        self._refused = 0

    def __repr__(self) -> str:
        return f"OverloadLog(refused={self._refused} since the last line)"

    def refused(self, error: Exception, now: float) -> None:
        """One more.

        Args:
            now: monotonic seconds.
        """
        self._refused += 1
        if now - self._said >= _EVERY:
            log.warning("execute: requests are refused", error=str(error), refused=self._refused)
            self._said = now
            self._refused = 0
