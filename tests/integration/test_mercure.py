"""The points of the Mercure specification, in both generations, against a running server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.mercure import (
    HUB,
    PUBLISHER_KEY,
    SUBSCRIBER_KEY,
    ask,
    modern,
    publish,
    publisher,
    subscribed,
    subscriber,
)
from support.php import require_php
from support.server import Server

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
"""


def config(**mercure: Any) -> dict[str, Any]:
    settings = {
        "publisher_jwt": {"key": PUBLISHER_KEY},
        "subscriber_jwt": {"key": SUBSCRIBER_KEY},
        "anonymous": True,
        **mercure,
    }
    return {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "mercure": settings,
    }


def serving(folder: Path, **mercure: Any) -> Server:
    folder.mkdir(exist_ok=True)
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, config(**mercure))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "subscriptions": True,
        "publish_origins": ["https://page.test"],
        "cors_origins": ["https://*.page.test", "https://page.test"],
        "issuer": "https://issuer.test",
        "resource_identifier": "https://hub.test",
    }
    with serving(tmp_path_factory.mktemp("mercure"), **settings) as server:
        yield server
        assert server.stop() == 0


def test_an_update_reaches_those_that_follow_its_topic(server: Server) -> None:
    with subscribed(server, "https://a.test/1") as events, subscribed(server, "https://a.test/2") as others:
        answer = publish(server, "https://a.test/1", "line 1\r\nline 2\rline 3\n", type="news", retry="1500", id="urn:x:1")
        assert (answer.status, answer.text) == (200, "urn:x:1")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        raw = [events.line() for _ in range(8)]
        assert raw == [
            "event: news", "retry: 1500", "id: urn:x:1", "data: line 1", "data: line 2", "data: line 3", "data: ", "",
        ]
        publish(server, "https://a.test/2", "other")
        assert others.data(1) == ["other"]
