"""Pages of other hosts, in Chromium: WebSocket, Server-Sent Events and Mercure of one server, pages of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from playwright.sync_api import expect

from pyroadrunner.sdk.mercure import Mercure
from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.websocket import WebSockets
from support.browser import Browser, Page
from support.mercure import HUB, PUBLISHER_KEY
from support.php import require_php
from support.server import Server

PAGE_WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Http\\Response;

PyRoadRunner\\Http\\Server::run(static fn ($request) => new Response(
    headers: ['Content-Type' => 'text/html'],
    body: '<!doctype html><title>Page</title><link rel="icon" href="data:,"><pre></pre>',
));
"""
SOCKET_WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\WebSocket\\{Connection, Handler, WebSocketWorker};

WebSocketWorker::create()->run(new class extends Handler {
    public function onMessage(Connection $connection, string $data, bool $binary): void
    {
        $connection->send("$data back");
    }
});
"""
REFUSED = ("CORS", "ERR_FAILED", "WebSocket connection", "403")
EVENTS = """(url) => new Promise((resolve) => {
    const source = new EventSource(url, { withCredentials: true });
    source.onopen = () => resolve('open');
    source.onerror = () => { source.close(); resolve('refused'); };
    source.onmessage = ({ data }) => document.querySelector('pre').append(data + ' ');
})"""
SOCKET = """(url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send('there and');
    socket.onmessage = ({ data }) => resolve(data);
    socket.onclose = ({ code }) => resolve(code);
})"""
PUBLISH = """(url) => fetch(url, {
    method: 'POST', credentials: 'include',
    body: new URLSearchParams({ topic: 'orders', data: 'from the page', private: 'on' }),
}).then((response) => response.status, () => 'refused')"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "worker.php").write_text(PAGE_WORKER)
    config = {"server": {"command": f"{require_php()} worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with Server(folder, config) as server:
        yield server


@pytest.fixture(scope="module")
def realtime(tmp_path_factory: pytest.TempPathFactory, pages: Server) -> Iterator[Server]:
    """A server that permits the pages, but not those of the same server by its other name."""
    folder = tmp_path_factory.mktemp("realtime")
    (folder / "worker.php").write_text(SOCKET_WORKER)
    http: dict[str, Any] = {"pool": {"num_workers": 1, "debug": True}}  # no request is for its workers
    config = {
        "server": {"command": f"{require_php()} worker.php"},
        "http": http,
        "websocket": {
            "allowed_origins": [pages.url],
            "sse_path": "/sse",
            "topics": [{"match": "news", "public": True}],
            "pool": {"num_workers": 1},
        },
        "mercure": {
            "publisher_jwt": {"key": PUBLISHER_KEY},
            "subscriber_jwt": {"key": PUBLISHER_KEY},
            "cors_origins": [pages.url],
            "publish_origins": [pages.url],
        },
    }
    with Server(folder, config) as server:
        yield server


def by_another_name(server: Server) -> str:
    return server.url.replace("127.0.0.1", "localhost")


def shown(page: Page) -> Any:
    return expect(page.page.locator("pre"))


def test_websocket(browser: Browser, pages: Server, realtime: Server) -> None:
    url = f"{realtime.url.replace('http', 'ws')}/ws"
    with browser.page(pages.url) as page:
        assert page.page.evaluate(SOCKET, url) == "there and back"
    with browser.page(by_another_name(pages), expected=REFUSED) as page:
        assert page.page.evaluate(SOCKET, url) == 1006


def test_server_sent_events(browser: Browser, pages: Server, realtime: Server) -> None:
    url = f"{realtime.url}/sse?topic=news"
    with browser.page(pages.url) as page:
        assert page.page.evaluate(EVENTS, url) == "open"
        with WebSockets(RpcClient(realtime.rpc)) as sockets:
            sockets.publish("news", "hello")
        shown(page).to_have_text("hello ")
    with browser.page(by_another_name(pages), expected=REFUSED) as page:
        assert page.page.evaluate(EVENTS, url) == "refused"


def test_mercure_with_a_cookie(browser: Browser, pages: Server, realtime: Server) -> None:
    token = jwt.encode({"mercure": {"subscribe": ["orders"], "publish": ["orders"]}}, PUBLISHER_KEY)
    cookie = f"document.cookie = 'mercureAuthorization={token}; path=/; SameSite=Strict'"
    url = f"{realtime.url}{HUB}"
    with browser.page(pages.url) as page:
        page.page.evaluate(cookie)  # for the host: the port does not count
        assert page.page.evaluate(EVENTS, f"{url}?topic=orders") == "open"
        with Mercure(RpcClient(realtime.rpc)) as hub:
            hub.publish("orders", "private", private=True)
        shown(page).to_have_text("private ")
        assert page.page.evaluate(PUBLISH, url) == 200
        shown(page).to_have_text("private from the page ")
    with browser.page(pages.url, expected=["401"]) as page:
        assert page.page.evaluate(EVENTS, f"{url}?topic=orders") == "refused"  # no cookie
    with browser.page(by_another_name(pages), expected=[*REFUSED, "401"]) as page:
        page.page.evaluate(cookie)
        assert page.page.evaluate(EVENTS, f"{url}?topic=orders") == "refused"
        assert page.page.evaluate(PUBLISH, url) == "refused"
