"""Responses with and without ``X-Sendfile``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.content.file_answer import ZERO_COPY
from pyroadrunner.plugins.http.middleware import sendfile
from pyroadrunner.plugins.http.middleware.sendfile import SendFile
from pyroadrunner.workers.errors import QueueFull, WorkerCrashed
from pyroadrunner.workers.payload import Reply
from support.asgi import Exchange, ScriptedPool, ScriptedStream, head, http_scope, reply, streamed, worker_app
from support.log import logged


def ask(answer: Reply | Exception, method: str = "GET", **scope: Any) -> Exchange:
    return Exchange(http_scope(method, "/", **scope)).run(SendFile(worker_app(ScriptedPool(answer))))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("hello")
    return tmp_path / "a.txt"


def test_a_named_file_replaces_the_body(file: Path) -> None:
    answer = reply(head(404, x_sendfile=str(file), x_more=["1", "2"], content_length="3"), b"abc")
    exchange = ask(answer)
    assert (exchange.status, exchange.body) == (200, b"hello")
    assert exchange.headers == [
        ("x-more", "1"),
        ("x-more", "2"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "5"),
    ]


def test_an_interim_response_does_not_show_the_path(file: Path) -> None:
    hints = head(103, link="</a>", x_sendfile=str(file))
    exchange = ask(streamed((hints, b""), (head(), b""), (b"", b"")), extensions=["http.response.informational"])
    assert exchange.messages[0]["headers"] == [(b"link", b"</a>")]
    assert exchange.messages[1]["type"] == "http.response.start"
    assert exchange.messages[2]["body"] == b"hello"


def test_the_workers_content_type_is_used(file: Path) -> None:
    exchange = ask(reply(head(x_sendfile=str(file), content_type="application/pdf")))
    assert [value for name, value in exchange.headers if name == "content-type"] == ["application/pdf"]


def test_head_has_the_length_and_no_body(file: Path) -> None:
    exchange = ask(reply(head(x_sendfile=str(file))), "HEAD")
    assert (exchange.body, dict(exchange.headers)["content-length"], exchange.ended) == (b"", "5", True)


def test_an_empty_file_ends(file: Path) -> None:
    file.write_text("")
    exchange = ask(reply(head(x_sendfile=str(file))))
    assert (exchange.status, exchange.body, exchange.ended) == (200, b"", True)
    assert dict(exchange.headers)["content-length"] == "0"


def test_a_large_file_is_sent_by_the_server(file: Path) -> None:
    file.write_bytes(b"x" * 100_000)
    answer = reply(head(x_sendfile=str(file)))
    assert ask(answer).body == b"x" * 100_000
    assert ask(answer, extensions=[ZERO_COPY]).messages[1]["type"] == ZERO_COPY


def test_a_relative_path_starts_in_the_servers_working_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert ask(reply(head(x_sendfile="a.txt"))).body == b"hello"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("../a.txt", 403, b""),
        ("/etc/../etc/passwd", 403, b""),
        ("..", 403, b""),
        ("missing.txt", 404, b"not found\n"),
        ("a.txt/b", 404, b"not found\n"),
        (".", 500, b"not a regular file\n"),
        ("x" * 300, 500, b"File name too long\n"),
    ],
)
def test_files_that_can_not_be_sent(
    file: Path, path: str, status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    exchange = ask(reply(head(x_sendfile=path, x_more="1", content_type="a/b", content_encoding="gzip"), b"abc"))
    assert (exchange.status, exchange.body, exchange.ended) == (status, body, True)
    headers = dict(exchange.headers)
    assert headers["x-more"] == "1"
    assert "content-encoding" not in headers
    assert headers.get("content-type") == ("text/plain; charset=utf-8" if body else None)


def test_a_file_with_two_dots_in_its_name_is_sent(file: Path) -> None:
    other = file.with_name("a..b.txt")
    other.write_text("dots")
    assert ask(reply(head(x_sendfile=str(other)))).body == b"dots"


def test_other_responses_are_unchanged() -> None:
    exchange = ask(reply(head(201, x_more="1"), b"body"))
    assert (exchange.status, exchange.body) == (201, b"body")
    assert ask(QueueFull("http", 1)).status == 503


def test_a_stream_without_the_header_passes_piece_by_piece() -> None:
    answer = streamed((head(200), b"one"), (b"", b"two"), (b"", b""))
    bodies = [message.get("body") for message in ask(answer).messages[1:]]
    assert bodies == [b"one", b"two", b""]


def test_a_stream_that_names_a_file_is_released_before_the_file_is_sent(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = streamed((head(x_sendfile=str(file)), b"ignored"), (b"", b"ignored"), (b"", b""))
    assert isinstance(answer.stream, ScriptedStream)
    stream = answer.stream
    send = sendfile.send_whole

    async def checked(*args: Any) -> None:
        assert stream.ended
        await send(*args)

    monkeypatch.setattr(sendfile, "send_whole", checked)
    exchange = ask(answer)
    assert (exchange.status, exchange.body, exchange.ended) == (200, b"hello", True)


def test_a_worker_that_crashes_after_naming_a_file_does_not_stop_the_file(file: Path) -> None:
    with logged("http"):
        exchange = ask(streamed((head(x_sendfile=str(file)), b""), WorkerCrashed(1, "gone", None, "", "")))
    assert (exchange.status, exchange.body, exchange.ended) == (200, b"hello", True)


def test_a_file_that_can_not_be_read_is_logged_with_its_path(tmp_path: Path) -> None:
    with logged("http") as log:
        assert ask(reply(head(x_sendfile=str(tmp_path)))).status == 500
    [line] = log.of("file of X-Sendfile can't be sent")
    assert line == {"path": str(tmp_path), "error": "not a regular file"}


def test_a_client_that_disconnects_is_no_error(file: Path) -> None:
    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            raise ConnectionResetError(os.strerror(104))

    Gone(http_scope()).run(SendFile(worker_app(ScriptedPool(reply(head(x_sendfile=str(file)))))))


def test_other_scopes_pass() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    Exchange({"type": "websocket"}).run(SendFile(app))
    assert seen == ["websocket"]
