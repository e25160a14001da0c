"""Departures that webhooks report only if they last: a page that is loaded again leaves and comes back. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pyroadrunner.plugins.websocket.pusher.channels import Channel

HOLD = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Departure:
    """Of a user from a presence channel, or, without a user, of the last subscriber."""

    channel: Channel
    user: str = ""


class HeldDepartures:
    """A queue; all are held equally long.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queue: deque[tuple[float, Departure]] = deque()

    def __repr__(self) -> str:
        return f"HeldDepartures({len(self._queue)})"

    @property
    def last_due(self) -> float:
        """When the last one is due; 0 = there is none."""
        return self._queue[-1][0] if self._queue else 0.0

    def add(self, departure: Departure) -> None:
        """Hold one from now on."""
        self._queue.append((self._clock() + HOLD, departure))

    def due(self) -> list[Departure]:
        """Take those that were held long enough."""
        now, found = self._clock(), []
        while self._queue and self._queue[0][0] <= now:
            found.append(self._queue.popleft()[1])
        return found

    def all(self) -> list[Departure]:
        """Take all."""
        found = [departure for _, departure in self._queue]
        self._queue.clear()
        return found
