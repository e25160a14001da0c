"""The ASGI application, with a client made of ASGI messages. (The integration tests call it through HTTP/2.)"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.grpcd import GrpcApp, GrpcStatus, Method, Request, Response, StatusCode, Stream
from pyroadrunner.grpcd.message import frame
from support.virtual_time import in_virtual_time

HEADERS = [(b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"host", b"a:1")]


class Observed:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int, str]] = []
        self.running = 0

    def began(self) -> None:
        self.running += 1

    def ended(self, path: str, code: int, text: str, seconds: float) -> None:
        self.running -= 1
        self.calls.append((path, code, text))


class Client:
    """One call: what it sent, and what it got."""

    def __init__(self, path: str, *bodies: bytes, headers: list[tuple[bytes, bytes]] | None = None, end: bool = True):
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "http_version": "2",
            "scheme": "http",
            "raw_path": path.encode(),
            "headers": HEADERS + (headers or []),
            "client": ("1.2.3.4", 5),
            "extensions": {"http.response.trailers": {}},
        }
        last = len(bodies) - 1
        self._events: list[Message] = [
            {"type": "http.request", "body": body, "more_body": at < last or not end} for at, body in enumerate(bodies)
        ]
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self._events:
            return {"type": "http.disconnect"}
        return self._events.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, app: GrpcApp) -> Client:
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def body(self) -> bytes:
        return b"".join(one["body"] for one in self.sent if one["type"] == "http.response.body")

    @property
    def trailers(self) -> dict[bytes, bytes]:
        assert self.sent[-1]["type"] == "http.response.trailers"
        return dict(self.sent[-1]["headers"])

    @property
    def code(self) -> int:
        return int(self.trailers[b"grpc-status"])


async def echo(request: Request) -> Response:
    return Response(request.message)


def app(handler: Any = echo, observer: Observed | None = None, **options: Any) -> GrpcApp:
    method = Method("/s/M", handler, **options)
    return GrpcApp({"/s/M": method}, max_receive=100, max_send=100, observer=observer)


@in_virtual_time
async def test_a_call_is_answered_and_observed() -> None:
    observer = Observed()
    client = await Client("/s/M", frame(b"hello")).run(app(observer=observer))
    assert client.body == frame(b"hello")
    assert client.trailers == {b"grpc-status": b"0"}
    assert (observer.calls, observer.running) == ([("/s/M", 0, "")], 0)


@in_virtual_time
async def test_the_handler_sees_the_request() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(b"")

    await Client("/s/M", frame(b"x"), headers=[(b"grpc-timeout", b"5S")]).run(app(handler))
    [request] = seen
    assert (request.path, request.message, request.peer, request.authority) == ("/s/M", b"x", ("1.2.3.4", 5), "a:1")
    assert (request.tls, request.timeout) == (False, 5.0)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (GrpcStatus(5, "no\n"), 5, b"no%0A"),
        (ValueError("bad"), 2, b"bad"),
        (KeyError("k"), 2, b"KeyError: 'k'"),
    ],
)
def test_an_exception_becomes_a_status(error: Exception, code: int, text: bytes) -> None:
    @in_virtual_time
    async def main() -> None:
        async def handler(_request: Request) -> Response:
            raise error

        client = await Client("/s/M", frame(b"x")).run(app(handler))
        assert (client.code, client.trailers[b"grpc-message"]) == (code, text)

    main()


@in_virtual_time
async def test_metadata_and_details_are_sent() -> None:
    async def handler(_request: Request) -> Response:
        return Response(headers=[(b"x-a", b"1")], trailers=[(b"x-b", b"2")], code=3, text="bad", details=b"\xff")

    client = await Client("/s/M", frame(b"x")).run(app(handler))
    assert (b"x-a", b"1") in client.sent[0]["headers"]
    assert client.trailers == {
        b"grpc-status": b"3",
        b"grpc-message": b"bad",
        b"grpc-status-details-bin": b"/w",
        b"x-b": b"2",
    }


@in_virtual_time
async def test_a_stream_is_sent_message_by_message_and_closed() -> None:
    closed = []

    async def messages() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b""
            response.trailers = [(b"x-end", b"1")]
        finally:
            closed.append(True)

    response = Response(stream=messages())  # type: ignore[arg-type]

    async def handler(_request: Request) -> Response:
        return response

    client = await Client("/s/M", frame(b"x")).run(app(handler))
    assert client.body == frame(b"one") + frame(b"")
    assert client.trailers == {b"grpc-status": b"0", b"x-end": b"1"}
    assert closed == [True]


@in_virtual_time
async def test_a_stream_that_is_too_large_ends_with_a_status_and_is_closed() -> None:
    closed = []

    async def messages() -> AsyncIterator[bytes]:
        try:
            yield b"x" * 101
        finally:
            closed.append(True)

    async def handler(_request: Request) -> Response:
        return Response(stream=messages())  # type: ignore[arg-type]

    client = await Client("/s/M", frame(b"x")).run(app(handler))
    assert client.code == StatusCode.RESOURCE_EXHAUSTED
    assert closed == [True]


@in_virtual_time
async def test_a_deadline_ends_the_call() -> None:
    observer = Observed()
    ended = []

    async def handler(_request: Request) -> Response:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(asyncio.get_running_loop().time())
        return Response(b"")

    began = asyncio.get_running_loop().time()
    client = await Client("/s/M", frame(b"x"), headers=[(b"grpc-timeout", b"2S")]).run(app(handler, observer))
    assert client.code == StatusCode.DEADLINE_EXCEEDED
    assert 2 <= ended[0] - began < 2.1
    assert observer.calls == [("/s/M", 4, "context deadline exceeded")]


@in_virtual_time
async def test_a_call_in_time_is_not_ended_by_its_deadline() -> None:
    async def handler(_request: Request) -> Response:
        await asyncio.sleep(1)
        return Response(b"")

    served = app(handler)
    client = await Client("/s/M", frame(b"x"), headers=[(b"grpc-timeout", b"2S")]).run(served)
    await asyncio.sleep(5)
    assert client.code == 0


@in_virtual_time
async def test_a_deadline_while_the_client_reads_the_response_adds_nothing_to_it() -> None:
    class Slow(Client):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if message["type"] == "http.response.body":
                await asyncio.sleep(3600)

    client = await Slow("/s/M", frame(b"x"), headers=[(b"grpc-timeout", b"2S")]).run(app())
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]


@in_virtual_time
async def test_a_client_that_leaves_cancels_the_handler() -> None:
    observer = Observed()
    entered = asyncio.Event()

    async def handler(_request: Request) -> Response:
        entered.set()
        await asyncio.sleep(3600)
        return Response(b"")

    client = Client("/s/M", frame(b"x"))
    task = asyncio.ensure_future(client.run(app(handler, observer)))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.sent == []
    assert observer.calls[0][1] == StatusCode.CANCELLED


@in_virtual_time
async def test_a_client_that_leaves_in_its_message_is_not_answered() -> None:
    client = await Client("/s/M", frame(b"hello")[:7], end=False).run(app())
    assert client.sent == []


@in_virtual_time
async def test_a_client_stream_is_served_with_its_first_message() -> None:
    client = await Client("/s/M", frame(b"one"), frame(b"two")).run(app(client_streaming=True))
    assert client.body == frame(b"one")
    client = await Client("/s/M", frame(b"one"), frame(b"two")).run(app())
    assert client.code == StatusCode.UNIMPLEMENTED


@in_virtual_time
async def test_a_stream_handler_has_both_directions() -> None:
    async def handler(stream: Stream) -> None:
        while (message := await stream.receive()) is not None:
            await stream.send(message.upper())

    client = await Client("/s/M", frame(b"a") + frame(b"b")[:3], frame(b"b")[3:]).run(app(None, stream_handler=handler))
    assert (client.body, client.code) == (frame(b"A") + frame(b"B"), 0)


def test_large_compressed_messages_are_served() -> None:
    async def main() -> None:
        message = bytes(range(256)) * 4096
        served = GrpcApp({"/s/M": Method("/s/M", echo)}, max_receive=1 << 21, max_send=1 << 21)
        client = Client("/s/M", frame(message, compress=True), headers=[(b"grpc-encoding", b"gzip")])
        assert (await client.run(served)).body == frame(message, compress=True)

    asyncio.run(main())


@in_virtual_time
async def test_an_unknown_encoding_names_the_known_ones() -> None:
    client = await Client("/s/M", frame(b"x"), headers=[(b"grpc-encoding", b"br")]).run(app())
    assert client.code == StatusCode.UNIMPLEMENTED
    assert (b"grpc-accept-encoding", b"identity,gzip") in client.sent[0]["headers"]


@in_virtual_time
async def test_a_stream_that_is_not_read_ends_when_it_holds_up_another_call_of_its_connection() -> None:
    full = asyncio.Event()
    free = asyncio.Event()

    class Unread(Client):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if len(self.sent) > 3:
                full.set()
                await asyncio.sleep(3600)

    class Beside(Client):
        async def send(self, message: Message) -> None:
            if message["type"] == "http.response.body":
                await free.wait()
            await super().send(message)

    async def messages() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            free.set()  # as the engine does when a stream is reset

    async def handler(request: Request) -> Response:
        return Response(stream=messages()) if request.message == b"stream" else Response(b"")  # type: ignore[arg-type]

    observer = Observed()
    served = app(handler, observer)
    unread, beside = Unread("/s/M", frame(b"stream")), Beside("/s/M", frame(b"other"))
    task = asyncio.ensure_future(unread.run(served))
    await full.wait()
    assert (await beside.run(served)).code == 0
    await task
    assert unread.sent[-1]["type"] == "http.response.body"  # no status: it would wait, too
    assert [(code, path) for path, code, _ in observer.calls] == [(8, "/s/M"), (0, "/s/M")]
