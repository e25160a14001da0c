"""Opens the endpoints of webhooks, and closes what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyroadrunner.contracts import HandlesRequests
from pyroadrunner.plugins.websocket.errors import NoApplication, NotInstalled
from pyroadrunner.plugins.websocket.pusher.app_transport import AppTransport
from pyroadrunner.plugins.websocket.pusher.config import AppConfig, WebhookConfig
from pyroadrunner.plugins.websocket.pusher.webhooks import Transport, WebhookEndpoint, Webhooks

if TYPE_CHECKING:
    import aiohttp

    from pyroadrunner.plugins.websocket.pusher.http_transport import HttpTransport


class OpenWebhooks:
    """The webhooks of all applications. The library for HTTP is imported only if one is sent over HTTP.

    Args:
        http: the plugin that serves the application of this server.
        clock: seconds, monotonic.

    Raises:
        NotInstalled: the library is missing.
        NoApplication: some are for the application of this server, which has none.
    """

    def __init__(self, apps: Sequence[AppConfig], http: Sequence[HandlesRequests], clock: Callable[[], float]) -> None:
        self._http = http
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        urls = [webhook.url for app in apps for webhook in app.webhooks]
        own = [url for url in urls if url.startswith("/")]
        if own and not http:
            raise NoApplication(own[0])
        if len(own) < len(urls):
            try:
                from pyroadrunner.plugins.websocket.pusher.http_transport import HttpTransport as OverHttp
                from pyroadrunner.plugins.websocket.pusher.http_transport import open_session
            except ModuleNotFoundError as missing:
                raise NotInstalled(missing.name or "?", "webhooks") from missing
            self._session = open_session()
            self._over_http: type[HttpTransport] = OverHttp

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
        if self._session is None or config.url.startswith("/"):
            return AppTransport(self._http, config.url, app.id)
        return self._over_http(self._session, config.url, config.timeout)
