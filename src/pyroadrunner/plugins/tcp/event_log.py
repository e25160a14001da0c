"""Log lines of events that failed."""

from __future__ import annotations

from typing import Any

from pyroadrunner.contracts import Log, NoFreeWorker, PoolClosed, QueueFull, RoadRunnerError, WorkerError, WorkerFailed

_EVERY = 1.0  # seconds between two lines of a kind: logging thousands of refusals a second would add to the load
OVERLOAD = (QueueFull, NoFreeWorker, PoolClosed)

log = Log("tcp")


class EventFailed(RoadRunnerError):
    """An event that can't be served, although its worker has replied, or none was asked."""


class EventLog:
    """Logs failed events. Of an overload, and of refused connections, the first line comes at once, then their number
    once a second."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"EventLog({self._count} since the last lines)"

    def failed(self, error: Exception, now: float, **connection: Any) -> None:
        """An event has failed.

        Args:
            now: steady seconds.
            connection: fields that identify the connection and the event.
        """
        if isinstance(error, OVERLOAD):
            self.refused("execute: events are refused and their connections closed", now, error=str(error))
            return
        fields = {"error": error.text if isinstance(error, WorkerFailed) else str(error), **connection}
        if isinstance(error, WorkerError):
            fields["pid"] = error.pid
        log.error("execute", **fields)

    def refused(self, what: str, now: float, **fields: Any) -> None:
        """Count what is refused, and log if it is due."""
        count = self._count.get(what, 0) + 1
        if now - self._said.get(what, now - _EVERY) >= _EVERY:
            log.warning(what, **fields, refused=count)
            self._said[what] = now
            count = 0
        self._count[what] = count
