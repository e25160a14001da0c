"""Errors of ``lock``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class EmptyId(RoadRunnerError):
    """An empty id; the text is RoadRunner's (plugins/lock)."""

    def __init__(self) -> None:
        super().__init__("empty ID is not allowed")


class NegativeTime(RoadRunnerError):
    """A negative ``ttl`` or ``wait``. Treating it as none would create a lock without expiry."""

    def __init__(self, field: str, value: int) -> None:
        super().__init__(f"{field} is in microseconds and can't be negative: {value}")


class RedisNotInstalled(RoadRunnerError):
    """The Redis client, an extra, is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"lock: the driver redis needs the Python package {package!r}: pip install 'pyroadrunner[redis]'"
        )


class RedisNotUsable(RoadRunnerError):
    """The settings of Redis can't be used."""

    def __init__(self, why: object) -> None:
        super().__init__(f"lock: the driver redis can't be started: {why}")
