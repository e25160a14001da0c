"""What workers are asked about clients of ``websockets``, and the section's settings."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from pyroadrunner.plugins.websocket.broadcast.client import publication
from pyroadrunner.plugins.websocket.broadcast.config import BroadcastConfig, RedisBroker, WebSocketsConfig
from pyroadrunner.plugins.websocket.broadcast.requests import JOIN_SERVER, JOIN_TOPICS, WorkerRequest, read_answer
from pyroadrunner.plugins.websocket.errors import BadMessage
from pyroadrunner.remote.redis.config import RedisConfig


def scope(**more: Any) -> dict[str, Any]:
    return {
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": b"/ws",
        "query_string": b"",
        "headers": [(b"host", b"example.com"), (b"upgrade", b"websocket")],
        "client": ("10.0.0.7", 1234),
        **more,
    }


def context(attribute: str = JOIN_SERVER, value: str | bool = True, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WorkerRequest(scope(**more)).context(attribute, value))
    return found


def test_the_context_is_that_of_a_request() -> None:
    assert context() == {
        "remoteAddr": "10.0.0.7",
        "protocol": "HTTP/1.1",
        "method": "GET",
        "uri": "http://example.com/ws",
        "headers": {"Upgrade": ["websocket"]},
        "cookies": {},
        "rawQuery": "",
        "parsed": False,
        "attributes": {"ws:joinServer": True},
    }


def test_one_handshake_is_asked_about_many_topics() -> None:
    request = WorkerRequest(scope())
    first = json.loads(request.context(JOIN_TOPICS, "a,b"))
    second = json.loads(request.context(JOIN_TOPICS, "c"))
    assert (first["attributes"], second["attributes"]) == ({"ws:joinTopics": "a,b"}, {"ws:joinTopics": "c"})


def test_query_cookies_and_repeated_headers() -> None:
    headers = [
        (b"host", b"h"),
        (b"cookie", b'a=1+2; b="%C3%A9"; broken; =x'),
        (b"x-two", b"1"),
        (b"x-two", b"\xff"),
    ]
    found = context(headers=headers, query_string=b"token=1&x=%20", scheme="wss", client=None, http_version="2")
    assert found["cookies"] == {"a": "1 2", "b": "é"}
    assert found["headers"]["X-Two"] == ["1", "\ufffd"]
    assert (found["uri"], found["rawQuery"]) == ("https://h/ws?token=1&x=%20", "token=1&x=%20")
    assert (found["remoteAddr"], found["protocol"]) == ("127.0.0.1", "HTTP/2.0")


def test_answers_are_read_and_nonsense_is_refused() -> None:
    assert read_answer(b'{"status":200,"headers":[]}').status == 200
    assert read_answer(b'{"status":403,"headers":{"a":["b"],"c":"d"}}').headers == {"a": ["b"], "c": "d"}
    for wrong in (b"", b"nonsense", b"[]", b'{"status":"x"}', b"\xff"):
        with pytest.raises(BadMessage):
            read_answer(wrong)


def test_payloads_are_json_strings() -> None:
    assert publication("t", b'{"a":1}') == b'{"topic":"t","payload":"{\\"a\\":1}"}'
    assert json.loads(publication("t", b"\xff")) == {"topic": "t", "payload": "\ufffd"}


def test_two_workers_decide_unless_a_pool_is_configured() -> None:
    assert WebSocketsConfig(broker="default").pool.num_workers == 2
    assert [key for key, _ in WebSocketsConfig(path="ws").faults()] == ["broker", "path"]


def test_a_broker_without_settings_takes_those_of_the_section_with_its_name() -> None:
    config = BroadcastConfig(brokers={"a": RedisBroker(), "b": RedisBroker(config=RedisConfig())})
    assert list(config.elsewhere()) == [("a", RedisConfig)]


def test_the_section_broadcast_alone_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules['websockets'] = sys.modules['redis'] = None;"
        "from pyroadrunner.plugins.websocket.broadcast.plugin import BroadcastPlugin"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
