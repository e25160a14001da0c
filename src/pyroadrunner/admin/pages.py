"""Pages of other plugins on a port for monitoring."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.contracts import HasMonitoringPages


async def page_of(plugins: Sequence[HasMonitoringPages], path: str, request: AdminRequest) -> AdminResponse | None:
    """The response of the plugin that has a page at ``path``; ``None`` if no plugin has one."""
    for plugin in plugins:
        page = plugin.monitoring_pages().get(path)
        if page is not None:
            made = await page(request.query)
            return AdminResponse(made.status, made.body, made.content_type)
    return None
