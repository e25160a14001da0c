"""The TCP loop: the handler's results and exceptions become frames; the calls over RPC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pyroadrunner.goridge.frame import STOP_WORKER, Flag, Frame
from pyroadrunner.sdk import tcp
from pyroadrunner.sdk.tcp import messages
from support.peer import Rig


def context(event: str = "DATA") -> bytes:
    text = '{"remote_addr":"127.0.0.1:7","server":"smtp","uuid":"3c1b","event":"%s"}'
    return (text % event).encode()


class Recording(tcp.Handler):
    """Answers with what the test wants, and keeps the requests."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.seen: list[tcp.Request] = []

    def on_connected(self, request: tcp.Request) -> tcp.Answer:
        return self._handle(request)

    def on_data(self, request: tcp.Request) -> tcp.Answer:
        return self._handle(request)

    def on_close(self, request: tcp.Request) -> None:
        self._handle(request)

    def _handle(self, request: tcp.Request) -> Any:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.server.close()


def run(rig: Rig, handler: Any, *events: tuple[bytes, bytes]) -> list[Frame]:
    """Handle these events and stop; returns the frames of the replies."""
    for head, body in events:
        rig.server.request(head, body, flags=0)
    rig.server.send(STOP_WORKER)
    tcp.serve(handler, tcp.TcpWorker(rig.worker))
    rig.relay.close()
    frames = []
    while (frame := rig.server.receive()) is not None:
        frames.append(frame)
    return frames


def reply(verb: bytes, body: bytes = b"") -> Frame:
    return Frame(0, verb + body, (len(verb),))


@pytest.mark.parametrize(
    ("answer", "frame"),
    [
        (None, reply(b"CONTINUE")),
        (b"\xff", reply(b"WRITE", b"\xff")),
        ("hé", reply(b"WRITE", "hé".encode())),
        (tcp.Reply.write("a"), reply(b"WRITE", b"a")),
        (tcp.Reply.write_and_close(b"a"), reply(b"WRITECLOSE", b"a")),
        (tcp.Reply.read(), reply(b"CONTINUE")),
        (tcp.Reply.close(), reply(b"CLOSE")),
    ],
)
@pytest.mark.parametrize("event", ["CONNECTED", "DATA"])
def test_each_answer_is_a_verb(rig: Rig, event: str, answer: tcp.Answer, frame: Frame) -> None:
    assert run(rig, Recording(answer), (context(event), b"")) == [frame]


def test_the_answer_to_the_end_of_a_connection_has_no_effect(rig: Rig) -> None:
    assert run(rig, Recording("late"), (context("CLOSE"), b"")) == [reply(b"CONTINUE")]


def test_the_handler_gets_the_event(rig: Rig) -> None:
    handler = Recording()
    run(rig, handler, (context(), b"a\r\n"))
    [seen] = handler.seen
    assert (seen.event, seen.uuid, seen.server, seen.remote_addr) == (tcp.Event.DATA, "3c1b", "smtp", "127.0.0.1:7")
    assert seen.body == b"a\r\n"


@pytest.mark.parametrize("answer", [RuntimeError("no database"), 7])
def test_an_exception_is_an_error_and_the_worker_takes_the_next(rig: Rig, answer: object) -> None:
    handler = Recording(answer)
    first, second = run(rig, handler, (context(), b"1"), (context(), b"2"))
    assert first.flags & second.flags & Flag.ERROR
    assert b"Traceback" in first.payload
    assert len(handler.seen) == 2


@pytest.mark.parametrize("head", [b"", b"{", b"{}", b'{"event":"DATA"}', context("CLOSED")])
def test_a_context_that_is_no_event_is_an_error(rig: Rig, head: bytes) -> None:
    [frame] = run(rig, Recording(), (head, b"x"))
    assert frame.flags & Flag.ERROR
    assert b"cannot read the event" in frame.payload


def test_handlers_are_functions(rig: Rig) -> None:
    handlers = tcp.Handlers()
    ended: list[str] = []

    @handlers.connected
    def hello(request: tcp.Request) -> str:
        return "hello"

    @handlers.data
    def echo(request: tcp.Request) -> bytes:
        return request.body

    @handlers.close
    def bye(request: tcp.Request) -> None:
        ended.append(request.uuid)

    events = [(context("CONNECTED"), b""), (context("DATA"), b"a"), (context("CLOSE"), b"")]
    assert run(rig, handlers, *events) == [reply(b"WRITE", b"hello"), reply(b"WRITE", b"a"), reply(b"CONTINUE")]
    assert ended == ["3c1b"]


def test_a_worker_by_hand(rig: Rig) -> None:
    worker = tcp.TcpWorker(rig.worker)
    for _ in range(4):
        rig.server.request(context(), b"a", flags=0)
    for act in (lambda: worker.respond("a"), lambda: worker.respond(b"b", close=True), worker.read, worker.close):
        assert worker.receive() is not None
        act()
    frames = [rig.server.receive() for _ in range(4)]
    expected = [reply(b"WRITE", b"a"), reply(b"WRITECLOSE", b"b"), reply(b"CONTINUE"), reply(b"CLOSE")]
    assert frames == expected


def test_the_calls_over_rpc() -> None:
    assert messages.write_request("3c1b", "é", close=True) == {"uuid": "3c1b", "data": "w6k=", "close": True}
    view = {"uuid": "3c1b", "server": "smtp", "remote_addr": "@", "state": "open", "age": 1, "received": 2, "sent": 3}
    [found] = messages.connections([{**view, "events": 4}])
    assert (found.uuid, found.age, found.events) == ("3c1b", 1.0, 4)
    assert messages.connections(None) == []
