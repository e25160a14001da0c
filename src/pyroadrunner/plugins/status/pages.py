"""The pages: ``/health``, ``/ready``, ``/jobs``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.pages import page_of
from pyroadrunner.admin.response import NOT_FOUND, AdminResponse
from pyroadrunner.contracts import HasMonitoringPages, HasPipelines, PipelineState
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
        queues: a live view of the plugins with pipelines.
        pages: a live view of the plugins with pages of their own.
    """

    def __init__(
        self,
        checks: Checks,
        unavailable: int,
        queues: Sequence[HasPipelines] = (),
        pages: Sequence[HasMonitoringPages] = (),
    ) -> None:
        self._checks = checks
        self._queues = queues
        self._pages = pages
        self._unavailable = unavailable
        self.stopping = False

    async def answer(self, request: AdminRequest) -> AdminResponse:
        path = request.path.rstrip("/")
        if path not in _STOPPING_CODES:
            return await page_of(self._pages, path, request) or NOT_FOUND
        if self.stopping:
            return AdminResponse(_STOPPING_CODES[path], _STOPPING)
        if path == "/jobs":
            return await self._jobs()
        names = request.query.get("plugin", ())
        entries = await self._checks.entries(Check.HEALTH if path == "/health" else Check.READY, names)
        good = all(entry.status_code == 200 for entry in entries)
        return AdminResponse(200 if good else self._unavailable, msgspec.json.encode(entries))

    async def _jobs(self) -> AdminResponse:
        """All pipelines. The status is 200 only if none of them has an error."""
        if not self._queues:
            return AdminResponse(self._unavailable, "jobs plugin not found\n")
        found = [_page_keys(one) for plugin in self._queues for one in await plugin.pipelines()]
        wrong = any(one["error_message"] for one in found)
        return AdminResponse(self._unavailable if wrong else 200, msgspec.json.encode(found))


def _page_keys(found: PipelineState) -> dict[str, str | int | bool]:
    """RoadRunner's keys in its order, then ``state``."""
    return {
        "pipeline": found.pipeline,
        "priority": found.priority,
        "ready": found.ready,
        "queue": found.queue,
        "active": found.active,
        "delayed": found.delayed,
        "reserved": found.reserved,
        "driver": found.driver,
        "error_message": found.error_message,
        "state": found.state,
    }
