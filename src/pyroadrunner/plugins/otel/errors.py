"""Why there can't be traces."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class OtelError(RoadRunnerError):
    """The section can't be kept."""


class OtelNotInstalled(OtelError):
    """The Python packages are missing."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"a Python package is missing, the one with the module `{module}`; pip install 'pyroadrunner[otel]'"
        )


class OtelRefused(OtelError):
    """The OpenTelemetry library does not take the settings, which may be those of the environment (``OTEL_...``)."""

    def __init__(self, why: object) -> None:
        super().__init__(f"the OpenTelemetry library refuses the settings: {why}")
