"""Errors of ``schedule``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class ScheduleError(RoadRunnerError):
    """A call was refused, or the plugin can't start."""


class NoSuchEntry(ScheduleError):
    """No entry has this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        has = f"there are: {', '.join(sorted(known))}" if known else "there is none"
        super().__init__(f"no such entry of schedule: {name}; {has}")
        self.name = name


class SectionMissing(ScheduleError):
    """The action of an entry needs another section."""

    def __init__(self, entry: str, action: str, section: str) -> None:
        super().__init__(f"schedule.entries.{entry}.{action}: needs the section `{section}`")
        self.entry = entry


class UserUnknown(ScheduleError):
    """The user of a command does not exist."""

    def __init__(self, entry: str, why: object) -> None:
        super().__init__(f"schedule.entries.{entry}.user: {why}")


class RedisNotInstalled(ScheduleError):
    """The package ``redis`` is missing."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"schedule.driver redis needs a Python package with the module `{module}`;"
            " pip install 'pyroadrunner[redis]'"
        )


class StoreNotUsable(ScheduleError):
    """The settings of the store can't be used."""

    def __init__(self, why: object) -> None:
        super().__init__(f"schedule: {why}")


class Stopping(ScheduleError):
    """The server stops."""

    def __init__(self) -> None:
        super().__init__("schedule: the server stops")
