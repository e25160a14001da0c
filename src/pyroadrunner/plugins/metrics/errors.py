"""What ``metrics`` refuses. PHP packages show these texts; where RoadRunner has one, it is RoadRunner's."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class MetricsError(RoadRunnerError):
    """The root of the family."""


class BadCollector(MetricsError):
    """A declaration no collector can be made of."""


class BadSample(MetricsError):
    """Labels or a value that the collector can't take."""


class Refused(MetricsError):
    """A call, with the operation's name before the reason."""

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(f"metrics_plugin_{operation}: {why}")
        self.operation = operation
        self.why = why
