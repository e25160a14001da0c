"""Errors of ``metrics``. PHP packages show these texts; where RoadRunner has a text, it is the same."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class MetricsError(RoadRunnerError):
    """Base class of the errors of ``metrics``."""


class BadCollector(MetricsError):
    """An invalid declaration of a collector."""


class BadSample(MetricsError):
    """Labels or a value that the collector does not accept."""


class Refused(MetricsError):
    """A refused call; the text begins with the name of the operation."""

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(f"metrics_plugin_{operation}: {why}")
        self.operation = operation
        self.why = why
