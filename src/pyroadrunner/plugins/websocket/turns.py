"""Who may use the workers next. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Turns:
    """Lets a limited number of clients use the pool at the same time, in the order of their requests: a burst of events
    (all clients leave at once) then waits here, where each client has one place, and not in the bounded queue of the
    pool, where it would be refused.

    Args:
        limit: how many at the same time.

    Attributes:
        on_idle: called when the last turn is over.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self.on_idle: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"Turns({self._running}/{self._limit}, waiting={len(self._waiting)})"

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether no turn is running."""
        return not self._running

    def request(self, begin: Callable[[], None]) -> None:
        """Call ``begin``, now or when it is its turn; it ends with :meth:`end`."""
        if self._running < self._limit:
            self._running += 1
            begin()
        else:
            self._waiting.append(begin)

    def end(self) -> None:
        """A turn is over."""
        if self._waiting:
            self._waiting.popleft()()
            return
        self._running -= 1
        if not self._running and self.on_idle is not None:
            self.on_idle()
