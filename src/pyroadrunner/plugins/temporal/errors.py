"""Errors of ``temporal``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class TemporalError(RoadRunnerError):
    """The root of this plugin's errors."""


class NotInstalled(TemporalError):
    """The engine, an extra, is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"temporal needs the Python package {package!r}: pip install 'pyroadrunner[temporal]'")


class BadAnswer(TemporalError):
    """PHP broke the protocol: our peer's fault."""


class BadWorkerInfo(TemporalError):
    """PHP's description of its task queues is empty or invalid."""


class WorkerLost(TemporalError):
    """The workflow worker that had the run in memory is gone."""

    def __init__(self, pid: int, why: str) -> None:
        super().__init__(f"the workflow worker {pid} is gone: {why}")
        self.pid = pid


class WorkerStopped(TemporalError):
    """The server stops, and with it the workflow worker."""

    def __init__(self) -> None:
        super().__init__("the server stops")


class UnknownInterceptor(TemporalError):
    """``temporal.interceptors`` names one that is not installed."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"temporal.interceptors: unknown interceptor {name}; installed: {', '.join(known) or 'none'}")


class NotRunning(TemporalError):
    """The activity of a heartbeat is not running here; the text is RoadRunner's."""

    def __init__(self) -> None:
        super().__init__("heartbeat on non running activity")


class InvalidHeartbeat(TemporalError):
    """The token or the details of a heartbeat can't be decoded."""

    def __init__(self, why: object) -> None:
        super().__init__(f"invalid heartbeat: {why}")


class EmptyKey(TemporalError):
    """An empty API key."""

    def __init__(self) -> None:
        super().__init__("the API key is empty")


class MetricsNotServed(TemporalError):
    """The address of ``temporal.metrics`` can't be used."""

    def __init__(self, why: object) -> None:
        super().__init__(f"temporal.metrics can't be served: {why}")
