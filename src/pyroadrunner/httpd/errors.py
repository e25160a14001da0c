"""Why a port does not open."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class TlsError(RoadRunnerError):
    """A certificate, a key or an option of TLS that can't be used: which one, why."""
