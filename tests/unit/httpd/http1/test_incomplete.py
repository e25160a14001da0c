"""Requests whose client closes its sending side before they are complete."""

from __future__ import annotations

import pytest

from pyroadrunner.asgi import Receive, Scope, Send
from support.http1 import CHUNKED, GET, POST, Recorder, Wire, body, start
from support.virtual_time import in_virtual_time, turns


@pytest.mark.parametrize("cut", [GET[:10], GET[:-2], POST % (9, b"") + b"ab", CHUNKED + b"5\r\nab", CHUNKED])
@in_virtual_time
async def test_the_client_can_read_that_its_request_is_incomplete(cut: bytes) -> None:
    app = Recorder()
    client = Wire(app)
    client.send(cut)
    await turns()
    client.finish()
    await turns()
    assert client.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.received.endswith(b"\r\n\r\n400 the request is incomplete\n")
    assert client.transport.lost
    assert not client.transport.aborted
    # Uploads are cancelled often: the log of requests has them, and no warning is written.
    assert client.listener.refusals.counts == {}
    assert set(app.ended) <= {"disconnect"}


@in_virtual_time
async def test_a_response_that_has_begun_is_not_mixed_with_another() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"early", more=True))
        while (await receive())["type"] != "http.disconnect":
            pass

    client = Wire(app)
    client.send(POST % (9, b"") + b"ab")
    await turns()
    assert client.received.endswith(b"early\r\n")
    client.finish()
    await turns()
    assert client.received.count(b"HTTP/1.1") == 1
    assert client.transport.lost


@in_virtual_time
async def test_a_client_that_has_sent_nothing_gets_nothing() -> None:
    client = Wire(Recorder())
    client.send(GET)
    await turns()
    client.take()
    client.finish()
    await turns()
    assert client.received == b""
    assert client.transport.lost
