"""When the subscribers of a channel get their number. Pure."""

from __future__ import annotations

from collections.abc import Callable

_LARGE = 100  # subscribers above which they get the number only now and then
_INTERVAL = 5.0  # seconds, for large channels
_SETTLE = 1.0  # seconds after which the number is looked at again, since other servers change it too


class SubscriptionCounts:
    """Decides; the owner looks at the numbers and tells them.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, int] = {}  # channels whose number is looked at again
        self._due: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"SubscriptionCounts(to look at={len(self._due)})"

    def changed(self, channel: str, count: int) -> bool:
        """A client has come or left; whether the subscribers get the number now."""
        now = self._clock()
        if count > _LARGE:
            self._due.setdefault(channel, now + _INTERVAL)
            return False
        self._told[channel] = count
        self._due[channel] = now + _SETTLE
        return True

    def due(self) -> list[str]:
        """Take the channels to look at now."""
        now = self._clock()
        found = [channel for channel, at in self._due.items() if at <= now]
        for channel in found:
            del self._due[channel]
        return found

    def looked(self, channel: str, count: int) -> bool:
        """What was found; whether the subscribers get it."""
        return self._told.pop(channel, None) != count
