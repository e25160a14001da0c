"""Errors of the HTTP listener."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class TlsError(RoadRunnerError):
    """A certificate, key or TLS option can't be used. The text names it and the reason."""
