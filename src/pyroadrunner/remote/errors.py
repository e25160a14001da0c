"""What can go wrong with a server elsewhere."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class StoreError(RoadRunnerError):
    """Why a store could not do it, without the names of the operations: those are added where it is answered."""
