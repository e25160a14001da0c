"""Errors that prevent tracing."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class OtelError(RoadRunnerError):
    """Base class of the errors of ``otel``."""


class OtelNotInstalled(OtelError):
    """The Python packages are not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"a Python package with the module `{module}` is not installed; pip install 'pyroadrunner[otel]'"
        )


class OtelRefused(OtelError):
    """The OpenTelemetry library refuses the settings; they may come from the environment (``OTEL_...``)."""

    def __init__(self, why: object) -> None:
        super().__init__(f"the OpenTelemetry library refuses the settings: {why}")
