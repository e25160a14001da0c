"""Requests that the server refuses before an application sees them: status, log lines, counts."""

from __future__ import annotations

from time import monotonic

from pyroadrunner.log import Log

_EVERY = 1.0  # seconds between two lines of one kind: a flood of bad requests must not become a flood of lines


class Refusal(Exception):
    """A request that is refused. The connection closes: its next request can't be found.

    Attributes:
        status: of the response; 0 = none, the connection is closed.
        kind: a short name for the metrics.
        reason: for the log and the client.
    """

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind
        self.reason = reason


def bad_request(kind: str, reason: str) -> Refusal:
    """A malformed request."""
    return Refusal(400, kind, reason)


class Refusals:
    """Counts refusals by kind, and logs one line a second for each kind.

    Attributes:
        counts: refusals so far, by kind.
    """

    def __init__(self, log: Log) -> None:
        self.counts: dict[str, int] = {}
        self._log = log
        self._logged: dict[str, tuple[float, int]] = {}  # by kind: when, and the count then

    def __repr__(self) -> str:
        return f"Refusals({self.counts})"

    def add(self, refusal: Refusal, client: str) -> None:
        """Count a refusal, and log it if no line of its kind was written within a second."""
        kind = refusal.kind
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        now = monotonic()
        at, before = self._logged.get(kind, (-_EVERY, 0))
        if now - at < _EVERY:
            return
        self._logged[kind] = (now, count)
        fields = {"reason": refusal.reason, "remote_address": client, "times": count - before}
        if refusal.status:
            self._log.warning("request refused", status=refusal.status, **fields)
        else:
            self._log.warning("connection closed", **fields)
