"""Errors of remote servers."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class StoreError(RoadRunnerError):
    """An operation of a store failed. The text does not name the operation; the caller adds it."""
