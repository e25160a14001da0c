"""Why a call of ``lock`` is refused."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class EmptyId(RoadRunnerError):
    """RoadRunner's text (plugins/lock)."""

    def __init__(self) -> None:
        super().__init__("empty ID is not allowed")


class NegativeTime(RoadRunnerError):
    """``ttl`` or ``wait`` below zero: taken for none, it would be a lock for ever."""

    def __init__(self, field: str, value: int) -> None:
        super().__init__(f"{field} is in microseconds and can't be negative: {value}")


class RedisNotInstalled(RoadRunnerError):
    """The client of Redis is an extra."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"lock: the driver redis needs the Python package {package!r}: pip install 'pyroadrunner[redis]'"
        )


class RedisNotUsable(RoadRunnerError):
    """The settings of Redis can't be used."""

    def __init__(self, why: object) -> None:
        super().__init__(f"lock: the driver redis can't be started: {why}")
