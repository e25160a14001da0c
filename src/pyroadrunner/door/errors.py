"""Why a port does not open."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class DoorError(RoadRunnerError):
    """The root of the family."""


class ListenError(DoorError):
    """An address can't be listened on: which one, why, what to do."""


class TlsError(DoorError):
    """A certificate, a key or an option of TLS that can't be used: which one, why."""
