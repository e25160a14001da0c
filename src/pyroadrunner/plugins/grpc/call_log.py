"""Counts and logs calls. Lines and fields are RoadRunner's."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from time import monotonic

from pyroadrunner.grpcd import StatusCode, code_name
from pyroadrunner.log import Log
from pyroadrunner.plugins.grpc.metrics import CallCounters

_EVERY = 1.0  # seconds between lines about refused calls: thousands of them a second would add to the load
_REFUSALS = (StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNAVAILABLE)

log = Log("grpc")


class CallLog:
    """Implements :class:`pyroadrunner.grpcd.Observer`: a failed call is an error, a good or cancelled one a
    debug line. Refused calls of an overload share one line a second."""

    def __init__(self, counters: CallCounters) -> None:
        self._counters = counters
        self._said = -_EVERY
        self._refused = 0

    def __repr__(self) -> str:
        return f"CallLog({self._counters!r})"

    def began(self) -> None:
        self._counters.in_flight += 1

    def ended(self, path: str, code: int, text: str, seconds: float) -> None:
        counters = self._counters
        counters.in_flight -= 1
        counters.add(path, code, seconds)
        if not code:
            if log.enabled_for(logging.DEBUG):
                log.debug("method was called successfully", method=path, start=_start(seconds), elapsed=_ms(seconds))
        elif code in _REFUSALS:
            self._refuse(path, code, text, seconds)
        else:
            self._fail(path, code, text, seconds, {})

    def _refuse(self, path: str, code: int, text: str, seconds: float) -> None:
        self._refused += 1
        now = monotonic()
        if now - self._said >= _EVERY:
            self._said, refused, self._refused = now, self._refused, 0
            self._fail(path, code, text, seconds, {"calls": refused} if refused > 1 else {})

    def _fail(self, path: str, code: int, text: str, seconds: float, more: dict[str, int]) -> None:
        # A client ends a stream by cancelling it: that is no error of the server.
        level = logging.DEBUG if code == StatusCode.CANCELLED else logging.ERROR
        if log.enabled_for(level):
            fields = {
                "error": f"rpc error: code = {code_name(code)} desc = {text}",
                "method": path,
                "start": _start(seconds),
                "elapsed": _ms(seconds),
                **more,
            }
            log.write(level, "method call was finished with error", fields)


def _start(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
