from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.grpcd import GrpcApp, GrpcStatus, Method, Request, Response
from pyroadrunner.grpcd.message import frame
from pyroadrunner.plugins.grpc.web.app import GrpcWeb
from pyroadrunner.plugins.grpc.web.config import GrpcWebConfig
from pyroadrunner.plugins.grpc.web.format import trailers_frame
from support.virtual_time import in_virtual_time

BINARY, TEXT = b"application/grpc-web+proto", b"application/grpc-web-text"
OK = trailers_frame([(b"grpc-status", b"0")])


async def echo(request: Request) -> Response:
    if request.message == b"fail":
        raise GrpcStatus(5, "none")
    return Response(request.message, headers=[(b"x-h", b"1")], trailers=[(b"x-t", b"2")])


async def count(request: Request) -> Response:
    async def messages() -> AsyncIterator[bytes]:
        for number in request.message:
            yield bytes((number,))

    return Response(stream=messages())


class Browser:
    """What a client of the application sent and got."""

    def __init__(self, *parts: bytes, method: str = "POST", path: bytes = b"/t.T/Echo", **headers: bytes) -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "scheme": "http",
            "raw_path": path,
            "headers": [(name.replace("_", "-").encode(), value) for name, value in headers.items()],
        }
        self._parts = list(parts) or [b""]
        self.messages: list[Message] = []

    async def receive(self) -> Message:
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    async def call(self, **web: Any) -> Browser:
        methods = {
            f"/t.T/{name}": Method(f"/t.T/{name}", handler) for name, handler in (("Echo", echo), ("Count", count))
        }
        app = GrpcApp(methods, max_receive=1000, max_send=1000)
        await GrpcWeb(app, GrpcWebConfig(enabled=True, **web))(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def bodies(self) -> list[bytes]:
        assert [message.get("more_body", False) for message in self.messages[1:]][-1:] == [False]
        return [message["body"] for message in self.messages[1:]]


@in_virtual_time
async def test_a_unary_call_gets_its_trailers_in_the_body() -> None:
    got = await Browser(frame(b"hi"), content_type=BINARY).call()
    assert got.status == 200
    assert got.headers == {b"content-type": BINARY, b"x-h": b"1"}
    assert got.bodies == [frame(b"hi") + trailers_frame([(b"grpc-status", b"0"), (b"x-t", b"2")])]


@in_virtual_time
async def test_each_message_of_a_stream_is_sent_when_it_is_there() -> None:
    got = await Browser(frame(b"abc"), content_type=BINARY, path=b"/t.T/Count").call()
    assert got.bodies == [frame(b"a"), frame(b"b"), frame(b"c"), OK]


@in_virtual_time
async def test_base64_in_both_directions() -> None:
    text = base64.b64encode(frame(b"abc"))
    got = await Browser(text[:3], text[3:], content_type=TEXT, path=b"/t.T/Count").call()
    assert got.headers[b"content-type"] == TEXT
    assert [base64.b64decode(body) for body in got.bodies] == [frame(b"a"), frame(b"b"), frame(b"c"), OK]


@pytest.mark.parametrize("body", [b"!!!!", b"AAA"])
@in_virtual_time
async def test_a_body_that_is_no_base64_is_an_invalid_argument(body: bytes) -> None:
    got = await Browser(body, content_type=TEXT).call()
    assert b"grpc-status: 3\r\n" in base64.b64decode(got.bodies[-1])


@in_virtual_time
async def test_an_error_is_a_status_in_the_body() -> None:
    got = await Browser(frame(b"fail"), content_type=BINARY).call()
    assert got.bodies == [trailers_frame([(b"grpc-status", b"5"), (b"grpc-message", b"none")])]


@in_virtual_time
async def test_an_unknown_method_is_a_status_in_the_body_that_the_page_may_read() -> None:
    browser = Browser(frame(b""), content_type=BINARY, path=b"/t.T/None", origin=b"https://a.b")
    got = await browser.call(allowed_origin=["*"])
    assert got.headers[b"access-control-allow-origin"] == b"*"
    assert got.bodies == [trailers_frame([(b"grpc-status", b"12"), (b"grpc-message", b"unknown method /t.T/None")])]


@in_virtual_time
async def test_a_preflight_is_answered() -> None:
    browser = Browser(method="OPTIONS", origin=b"https://a.b", access_control_request_method=b"POST")
    got = await browser.call(allowed_origin=["https://a.b"])
    assert got.status == 204
    assert got.headers[b"access-control-allow-origin"] == b"https://a.b"


@pytest.mark.parametrize(("method", "expected"), [("POST", 505), ("OPTIONS", 405), ("GET", 405)])
@in_virtual_time
async def test_other_requests_are_for_the_application(method: str, expected: int) -> None:
    assert (await Browser(method=method, content_type=b"application/grpc").call()).status == expected
