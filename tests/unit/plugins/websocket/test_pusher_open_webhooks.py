"""Which webhooks can be opened, and what they need."""

from __future__ import annotations

import asyncio
import sys

import pytest

from pyroadrunner.contracts import AppRequest, AppResponse
from pyroadrunner.plugins.websocket.errors import NoApplication, NotInstalled
from pyroadrunner.plugins.websocket.pusher.config import AppConfig, WebhookConfig
from pyroadrunner.plugins.websocket.pusher.open_webhooks import OpenWebhooks

HTTP_TRANSPORT = "pyroadrunner.plugins.websocket.pusher.http_transport"


class Application:
    """Keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[AppRequest] = []

    async def handle_request(self, request: AppRequest) -> AppResponse:
        self.requests.append(request)
        return AppResponse(status=204, headers=(), body=b"", complete=True)


def app(*urls: str) -> AppConfig:
    return AppConfig(id="3", key="key", secret="secret", webhooks=[WebhookConfig(url=url) for url in urls])


def test_the_application_gets_requests_that_no_client_can_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, HTTP_TRANSPORT, None)  # it is not needed

    async def scene() -> None:
        http = Application()
        webhooks = OpenWebhooks([app("/pusher?x=1")], [http], lambda: 0.0).of(app("/pusher?x=1"))
        webhooks.emit("channel_occupied", "a")
        while not webhooks.endpoints[0].counters.sent:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await webhooks.stop(60)
        (request,) = http.requests
        assert (request.method, request.path, request.attributes) == ("POST", "/pusher?x=1", {"pusher_app": "3"})
        assert dict(request.headers)[b"x-pusher-key"] == b"key"

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_missing_library_and_a_missing_application_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, HTTP_TRANSPORT, None)
    with pytest.raises(NotInstalled, match=r"pyroadrunner\[webhooks\]"):
        OpenWebhooks([app("https://example.com/x")], [Application()], lambda: 0.0)
    with pytest.raises(NoApplication, match="/pusher"):
        OpenWebhooks([app("/pusher")], [], lambda: 0.0)
