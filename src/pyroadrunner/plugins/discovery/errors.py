"""Errors of ``discovery``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class NotInstalled(RoadRunnerError):
    """The client library of a driver is missing."""

    def __init__(self, driver: str, module: str, extra: str) -> None:
        todo = f"pip install 'pyroadrunner[{extra}]'" if extra else "install the package of the driver again"
        super().__init__(f"discovery.registry.driver {driver} needs the module {module}: {todo}")
        self.driver = driver


class NotCommandable(RoadRunnerError):
    """No command can be sent to the cluster."""
