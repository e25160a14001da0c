"""Publish to the hub from PHP and Python workers; follow it with the npm package ``eventsource``."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from test_mercure import config

from pyroadrunner.sdk.mercure import AsyncMercure, Mercure
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.mercure import HUB, PATIENCE, ask, publish, subscribed, subscriber
from support.node import node_program
from support.packages import EXAMPLES
from support.server import Server, free_port

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
require getenv('RR_PHP_LIBRARY') . '/src/Mercure/functions.php';
use PyRoadRunner\\Mercure\\Mercure;

PyRoadRunner\\Http\\Server::run(static function ($request) {
    $hub = Mercure::create();
    return implode(' ', [
        $hub->publish('php/1', 'object', id: 'urn:php:1'),
        mercure_publish(['php/2', 'php/alternate'], "two\\nlines", true, 'urn:php:2', 'news', 2000),
        strlen(mercure_publish('php/3')),
    ]);
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mercure")
    (folder / "worker.php").write_text(WORKER)
    with Server(folder, config()) as server:
        yield server


def test_a_php_worker_publishes(server: Server) -> None:
    with subscribed(server, "php/{id}", token=subscriber("php/alternate")) as events:
        with urlopen(f"{server.url}/", timeout=PATIENCE) as response:
            assert response.read().decode() == "urn:php:1 urn:php:2 45"
        assert events.next() == {"data": "object", "id": "urn:php:1"}
        assert events.next() == {"data": "two\nlines", "id": "urn:php:2", "event": "news", "retry": "2000"}
        last = events.next()
        assert last is not None
        assert last["data"] == ""


def test_python_publishes(server: Server) -> None:
    async def later() -> str:
        async with AsyncMercure(AsyncRpcClient(server.rpc)) as hub:
            return await hub.publish(["py/2"], "async", private=True)

    with subscribed(server, "py/{id}", token=subscriber("*")) as events:
        with Mercure(RpcClient(server.rpc)) as hub:
            assert hub.publish("py/1", "x", update_id="urn:py:1", event="news", retry=5) == "urn:py:1"
            with pytest.raises(CallFailed, match="topic"):
                hub.publish([])
        assert events.next() == {"data": "x", "id": "urn:py:1", "event": "news", "retry": "5"}
        second = asyncio.run(later())
        assert events.next() == {"data": "async", "id": second}


CLIENT = """
import { EventSource } from 'eventsource';
let source;
function follow(url, token) {
  source = new EventSource(url, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
  });
  source.onmessage = (event) => say(event.data, event.lastEventId);
  source.addEventListener('news', (event) => say('news', event.data));
  return new Promise((resolve) => { source.onopen = () => resolve(); });
}
"""


def test_eventsource_of_npm_follows_with_a_token(server: Server, tmp_path: Path) -> None:
    with node_program(tmp_path, CLIENT) as client:
        client.call(f"return follow('{server.url}{HUB}?topic=npm', '{subscriber('npm')}')")
        publish(server, "npm", "a\nb", id="urn:npm:1", private="on")
        publish(server, "npm", "c", type="news", retry="100")
        assert client.next() == ["a\nb", "urn:npm:1"]
        assert client.next() == ["news", "c"]


def test_the_example_of_the_manual(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "mercure", tmp_path, dirs_exist_ok=True)
    settings = yaml.safe_load((tmp_path / ".rr.yaml").read_text())
    settings["http"]["address"] = f"127.0.0.1:{free_port()}"
    settings["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    with Server(tmp_path, settings) as server:
        with urlopen(f"{server.url}/", timeout=PATIENCE) as page:
            assert b"EventSource" in page.read()
        with subscribed(server, "https://example.com/books/{id}", query="lastEventID=earliest") as events:
            published = ask(server, "POST", "/books/1")
            event = events.next()
            assert event is not None
            assert event["id"] == published.text
            assert json.loads(event["data"])["book"] == 1
