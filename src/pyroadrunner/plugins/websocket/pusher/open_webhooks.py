"""Opens the endpoints of webhooks, and closes what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import aiohttp

from pyroadrunner.contracts import HandlesRequests
from pyroadrunner.plugins.websocket.pusher.config import AppConfig, WebhookConfig
from pyroadrunner.plugins.websocket.pusher.webhook_transport import AppTransport, HttpTransport, open_session
from pyroadrunner.plugins.websocket.pusher.webhooks import Transport, WebhookEndpoint, Webhooks


class OpenWebhooks:
    """The webhooks of all applications.

    Args:
        http: the plugin that serves the application of this server.
        clock: seconds, monotonic.
    """

    def __init__(self, http: Sequence[HandlesRequests], clock: Callable[[], float]) -> None:
        self._http = http
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"OpenWebhooks({self._session})"

    def of(self, app: AppConfig) -> Webhooks:
        """Open those of an application."""
        webhooks = Webhooks(
            [WebhookEndpoint(app, one, self._transport(app, one), clock=self._clock) for one in app.webhooks]
        )
        webhooks.start()
        return webhooks

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _transport(self, app: AppConfig, config: WebhookConfig) -> Transport:
        if config.url.startswith("/"):
            return AppTransport(self._http, config.url, app.id)
        if self._session is None:
            self._session = open_session()
        return HttpTransport(self._session, config.url, config.timeout)
