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
