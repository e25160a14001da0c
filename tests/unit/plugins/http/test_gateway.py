"""What the outermost application handles itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.gateway import Gateway, chain
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app


def test_options_with_an_asterisk_gets_a_response_without_a_worker() -> None:
    pool = ScriptedPool()
    exchange = Exchange(http_scope("OPTIONS", "*")).run(Gateway(worker_app(pool)))
    assert (exchange.status, exchange.body, exchange.ended) == (200, b"", True)
    assert pool.asked == []


def test_other_requests_reach_the_worker() -> None:
    pool = ScriptedPool()
    assert Exchange(http_scope("OPTIONS", "/")).run(Gateway(worker_app(pool))).body == b"ok"
    assert len(pool.asked) == 1


def test_a_lifespan_is_refused_as_asgi_requires() -> None:
    async def main() -> None:
        await Gateway(worker_app(ScriptedPool()))({"type": "lifespan"}, _never, _ignore)

    with pytest.raises(NotImplementedError):
        asyncio.run(main())


def handshake(extensions: dict[str, Any]) -> tuple[ScriptedPool, list[Message]]:
    pool = ScriptedPool()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = http_scope(headers={"upgrade": "websocket"}, type="websocket", scheme="wss")
    scope["extensions"] = extensions
    del scope["method"]

    async def main() -> None:
        await Gateway(worker_app(pool))(scope, receive, send)

    asyncio.run(main())
    return pool, sent


def test_a_websocket_handshake_is_passed_on_as_a_get() -> None:
    pool, sent = handshake({"websocket.http.response": {}})
    assert pool.context["method"] == "GET"
    assert pool.context["uri"] == "https://ex.com/"
    assert pool.context["headers"] == {"Upgrade": ["websocket"]}
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]


def test_a_handshake_is_refused_if_the_server_can_not_send_a_response_to_it() -> None:
    pool, sent = handshake({})
    assert sent == [{"type": "websocket.close"}]
    assert pool.asked == []


def test_the_last_middleware_gets_a_request_first() -> None:
    seen: list[str] = []

    def around(name: str) -> Any:
        def wrap(app: ASGIApp) -> ASGIApp:
            async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
                seen.append(name)
                await app(scope, receive, send)

            return wrapped

        return wrap

    Exchange(http_scope()).run(chain(worker_app(ScriptedPool()), [around("inner"), around("outer")]))
    assert seen == ["outer", "inner"]


async def _never() -> Message:
    raise AssertionError("nothing is to be received")


async def _ignore(message: Message) -> None: ...
