"""The HTTP loop: the handler's results and exceptions become frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyroadrunner.goridge.frame import STOP_STREAM, STOP_WORKER, Flag, Frame, Stream
from pyroadrunner.sdk.http import HttpWorker, Request, Response, serve
from support.contexts import context
from support.peer import Rig

HEAD = b'{"status":200,"headers":{}}'


@pytest.fixture
def run() -> Iterator[Callable[..., list[Frame]]]:
    """Serve these requests and stop; returns the frames of the responses."""
    rig = Rig()

    def run(handler: Callable[[Request], Any], *requests: bytes, flags: int = Flag.JSON) -> list[Frame]:
        for each in requests:
            rig.server.request(each, flags=flags)
        rig.server.send(STOP_WORKER)
        serve(handler, HttpWorker(rig.worker))
        rig.relay.close()
        frames = []
        while (frame := rig.server.receive()) is not None:
            frames.append(frame)
        return frames

    yield run
    rig.server.close()


def answer(body: bytes, head: bytes = HEAD, stream: int = 0) -> Frame:
    return Frame(Flag.JSON, head + body, (len(head),), stream)


TEXT_HEAD = b'{"status":200,"headers":{"Content-Type":["text/plain; charset=utf-8"]}}'


@pytest.mark.parametrize("returned", ["héllo", (200, {}, "héllo"), Response(body="héllo"), Response("héllo")])
def test_text_is_sent_in_utf_8_with_a_content_type(run: Callable[..., list[Frame]], returned: object) -> None:
    assert run(lambda _: returned, context()) == [answer("héllo".encode(), TEXT_HEAD)]


@pytest.mark.parametrize("returned", [b"\xff", (200, {}, b"\xff"), Response(body=b"\xff"), Response(b"\xff")])
def test_bytes_are_sent_unchanged(run: Callable[..., list[Frame]], returned: object) -> None:
    assert run(lambda _: returned, context()) == [answer(b"\xff")]


def test_an_empty_text_has_no_content_type(run: Callable[..., list[Frame]]) -> None:
    assert run(lambda _: "", context()) == [answer(b"")]


def test_status_and_headers_are_sent_in_the_head(run: Callable[..., list[Frame]]) -> None:
    frames = run(lambda _: (404, {"X-A": ["1", "2"]}, b"no"), context())
    assert frames == [answer(b"no", b'{"status":404,"headers":{"X-A":["1","2"]}}')]


def test_an_iterable_is_streamed_and_its_empty_pieces_are_not(run: Callable[..., list[Frame]]) -> None:
    frames = run(lambda _: Response(body=iter([b"", b"a", b"", b"b"])), context())
    assert frames == [answer(b"a", stream=Stream.STREAM), answer(b"b", b"", Stream.STREAM), answer(b"", b"")]


def test_an_empty_stream_is_an_empty_response_with_its_head(run: Callable[..., list[Frame]]) -> None:
    assert run(lambda _: Response(body=iter([])), context()) == [answer(b"")]


def test_an_exception_of_a_handler_is_an_error_and_the_worker_keeps_running(run: Callable[..., list[Frame]]) -> None:
    def handler(request: Request) -> str:
        if request.path == "/bad":
            raise ValueError("no such thing")
        return "fine"

    bad, good = run(handler, context("/bad"), context("/good"))
    assert bad.flags == Flag.ERROR
    assert b"Traceback" in bad.payload
    assert bad.payload.endswith(b"ValueError: no such thing\n")
    assert good == answer(b"fine", TEXT_HEAD)


def test_a_stream_that_fails_halfway_ends_with_an_error(run: Callable[..., list[Frame]]) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("halfway")

    first, last = run(lambda _: Response(body=pieces()), context())
    assert first == answer(b"a", stream=Stream.STREAM)
    assert last.flags == Flag.ERROR


def test_a_stream_is_closed_when_the_client_disconnects() -> None:
    rig = Rig()
    seen: list[str] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
            rig.server.send(STOP_STREAM + STOP_WORKER)
            yield b"b"
            seen.append("went on")
        finally:
            seen.append("closed")

    rig.server.request(context())
    serve(lambda _: Response(body=pieces()), HttpWorker(rig.worker))
    assert seen == ["closed"]
    assert rig.bits(2) == [Stream.STREAM, 0]
    rig.close()


def test_early_hints_are_sent_before_the_response() -> None:
    rig = Rig()
    http = HttpWorker(rig.worker)
    rig.server.request(context())
    assert http.receive() is not None
    http.respond_early_hints({"Link": "</a.css>"})
    http.respond(200, "hello")
    hints = b'{"status":103,"headers":{"Link":["</a.css>"]}}'
    assert rig.server.receive() == answer(b"", hints, Stream.STREAM)
    assert rig.server.receive() == answer(b"hello", TEXT_HEAD)
    rig.close()


def test_a_handler_that_returns_none_gets_a_clear_error(run: Callable[..., list[Frame]]) -> None:
    (frame,) = run(lambda _: None, context())
    assert frame.flags == Flag.ERROR
    assert b"returned NoneType" in frame.payload


def test_a_malformed_context_is_an_error_and_the_worker_keeps_running(run: Callable[..., list[Frame]]) -> None:
    bad, good = run(lambda _: "fine", b"{not json", context())
    assert bad.payload.startswith(b"cannot read the request: ")
    assert good == answer(b"fine", TEXT_HEAD)


def test_protobuf_is_refused_with_a_clear_error(
    run: Callable[..., list[Frame]], capsys: pytest.CaptureFixture[str]
) -> None:
    (frame,) = run(lambda _: "never", b"\x0a\x01x", flags=Flag.PROTO)
    assert frame.flags == Flag.ERROR
    assert b"codec: json" in frame.payload
    assert "codec: json" in capsys.readouterr().err


def test_the_loop_ends_quietly_when_the_server_exits() -> None:
    rig = Rig()

    def handler(_: Request) -> str:
        rig.server.close()
        return "anyone?"

    rig.server.request(context())
    serve(handler, HttpWorker(rig.worker))
    rig.relay.close()
