"""Errors of listening."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class ListenError(RoadRunnerError):
    """The server can't listen on an address. The text names the address, the reason and what to do."""
