"""WSGI applications: the environment of a request, and how responses become frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from pyroadrunner.goridge.frame import STOP_WORKER, Flag, Frame
from pyroadrunner.sdk import wsgi
from pyroadrunner.sdk.http import HttpWorker
from pyroadrunner.sdk.request import Request
from support.contexts import context
from support.peer import Rig

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@pytest.fixture
def run() -> Iterator[Callable[..., list[tuple[bytes, int]]]]:
    """Serve these requests with an application; returns heads with bodies, and the flags of each frame."""
    rig = Rig()

    def run(application: Application, *requests: tuple[bytes, bytes]) -> list[tuple[bytes, int]]:
        for head, body in requests:
            rig.server.request(head, body, flags=Flag.JSON)
        rig.server.send(STOP_WORKER)
        wsgi.serve(application, HttpWorker(rig.worker))
        rig.relay.close()
        frames: list[Frame] = []
        while (frame := rig.server.receive()) is not None:
            frames.append(frame)
        return [(frame.payload, frame.flags) for frame in frames]

    yield run
    rig.server.close()


def answers(*pieces: bytes, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> Application:
    def application(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start(status, [("Content-Type", "text/plain"), *headers])
        return list(pieces)

    return application


HEAD = b'{"status":200,"headers":{"Content-Type":["text/plain"]}}'


def test_one_piece_is_sent_whole(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    assert run(answers(b"hello"), (context(), b"")) == [(HEAD + b"hello", Flag.JSON)]


def test_several_pieces_are_streamed(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    assert [payload for payload, _ in run(answers(b"a", b"", b"b"), (context(), b""))] == [HEAD + b"a", b"b", b""]


def test_a_generator_starts_the_response_late_and_is_closed(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    closed = []

    def application(env: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        try:
            start("201 Created", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
            yield b"x"
            yield b"y"
        finally:
            closed.append(True)

    frames = run(application, (context(), b""))
    assert frames[0][0] == b'{"status":201,"headers":{"Set-Cookie":["a=1","b=2"]}}x'
    assert closed == [True]


def test_a_failure_is_an_error_and_the_worker_goes_on(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    seen = []

    def application(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(env["PATH_INFO"])
        if len(seen) == 1:
            raise ValueError("first")
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    frames = run(application, (context("/1"), b""), (context("/2"), b""))
    assert frames[0][1] & Flag.ERROR
    assert b"ValueError: first" in frames[0][0]
    assert frames[1][0] == HEAD + b"hello"


def test_an_application_without_start_response_is_an_error(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    frames = run(lambda env, start: [b"x"], (context(), b""))
    assert b"did not call start_response" in frames[0][0]


def test_a_form_that_the_server_has_parsed_names_the_key(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    frames = run(answers(b""), (context(parsed=True), b"{}"))
    assert b"http.raw_body: true" in frames[0][0]


def test_the_reference_validator_finds_nothing(run: Callable[..., list[tuple[bytes, int]]]) -> None:
    def application(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = env["wsgi.input"].read(int(env["CONTENT_LENGTH"]))
        start("200 OK", [("Content-Type", "text/plain")])
        return [body]

    frames = run(validator(application), (context("/a%20b?c=d", method="POST"), b"body"))
    assert frames[0][0] == HEAD + b"body"


def test_the_environment() -> None:
    headers = {"Content-Type": ["text/plain"], "X-A": ["1", "2"], "Cookie": ["a=1", "b=2"], "X-U": ["ü"]}
    head = context("/%C3%BC/x?q=%20", headers=headers, uri="https://ex.com/%C3%BC/x?q=%20")
    env = wsgi.environ(Request(head, b"abc"))
    wanted = {
        "PATH_INFO": "/ü/x".encode().decode("latin-1"),
        "QUERY_STRING": "q=%20",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_X_A": "1, 2",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_U": "ü".encode().decode("latin-1"),
        "HTTP_HOST": "ex.com",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "REMOTE_ADDR": "192.0.2.1",
    }
    assert {key: env[key] for key in wanted} == wanted
