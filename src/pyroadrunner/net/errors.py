"""Why an address can't be listened on."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class ListenError(RoadRunnerError):
    """An address can't be listened on: which one, why, what to do."""
