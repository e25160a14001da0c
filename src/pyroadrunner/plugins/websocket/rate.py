"""How many messages a client may send. Pure."""

from __future__ import annotations

_BURST = 2  # seconds' worth of messages that may come at once


class Rate:
    """A token bucket.

    Args:
        per_second: messages; 0 = no limit.
        now: seconds, monotonic.
    """

    __slots__ = ("_last", "_per_second", "_tokens")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._tokens = float(per_second * _BURST)
        self._last = now

    def allows(self, now: float) -> bool:
        """Count a message; whether it is within the limit."""
        if not self._per_second:
            return True
        most = float(self._per_second * _BURST)
        self._tokens = min(most, self._tokens + (now - self._last) * self._per_second) - 1
        self._last = now
        return self._tokens >= 0
