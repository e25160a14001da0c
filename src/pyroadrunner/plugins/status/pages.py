"""The pages: ``/health``, ``/ready``, ``/jobs``."""

from __future__ import annotations

import msgspec

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import NOT_FOUND, AdminResponse
from pyroadrunner.plugins.status.checks import Check, Checks

_STOPPING = "service is shutting down\n"
_STOPPING_CODES = {"/health": 200, "/ready": 503, "/jobs": 503}


class Pages:
    """Answers probes.

    Attributes:
        stopping: whether the server is stopping: healthy, but not ready.

    Args:
        checks: asks the plugins.
        unavailable: status code of a negative response.
    """

    def __init__(self, checks: Checks, unavailable: int) -> None:
        self._checks = checks
        self._unavailable = unavailable
        self.stopping = False

    async def answer(self, request: AdminRequest) -> AdminResponse:
        path = request.path.rstrip("/")
        if path not in _STOPPING_CODES:
            return NOT_FOUND
        if self.stopping:
            return AdminResponse(_STOPPING_CODES[path], _STOPPING)
        if path == "/jobs":
            return AdminResponse(self._unavailable, "jobs plugin not found\n")
        names = request.query.get("plugin", ())
        entries = await self._checks.entries(Check.HEALTH if path == "/health" else Check.READY, names)
        good = all(entry.status_code == 200 for entry in entries)
        return AdminResponse(200 if good else self._unavailable, msgspec.json.encode(entries))
