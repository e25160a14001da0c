"""Responses of all shapes through the middleware, decoded by other libraries."""

from __future__ import annotations

import asyncio
import random
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.content.codings import NAMES, available
from pyroadrunner.content.compressible import Rules
from pyroadrunner.content.file_answer import ZERO_COPY, send_file
from pyroadrunner.content.open_files import OpenFiles
from pyroadrunner.plugins.http.config import GzipConfig, HttpConfig
from pyroadrunner.plugins.http.middleware.compress import Compress, build
from pyroadrunner.plugins.http.middleware.registry import Setup
from pyroadrunner.workers.errors import WorkerCrashed
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, streamed, worker_app
from support.log import logged

TEXT = b"".join(b"<p>line %d of a page</p>\n" % n for n in range(400))
LARGE = TEXT * 40
DECODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: zlib.decompress(data, 31),
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}


def layer(app: ASGIApp, *names: str) -> Compress:
    return Compress(app, available(names or NAMES, "balanced"), Rules(1024))


def ask(answer: Any, accept: str = "gzip", method: str = "GET") -> Exchange:
    """The response for a client with this ``Accept-Encoding`` from an application that sends ``answer``."""
    app = layer(worker_app(ScriptedPool(answer)))
    return Exchange(http_scope(method, "/", {"accept-encoding": accept} if accept else {})).run(app)


def headers(exchange: Exchange) -> dict[str, str]:
    assert len(dict(exchange.headers)) == len(exchange.headers)
    return dict(exchange.headers)


@pytest.mark.parametrize("body", [TEXT, LARGE], ids=["here", "in a thread"])
@pytest.mark.parametrize("name", NAMES)
def test_a_complete_response_is_compressed_and_has_its_exact_length(name: str, body: bytes) -> None:
    got = ask(reply(head(content_type="text/html", etag='"1"'), body), name)
    assert headers(got) == {
        "content-type": "text/html",
        "etag": 'W/"1"',
        "vary": "Accept-Encoding",
        "content-encoding": name,
        "content-length": str(len(got.body)),
    }
    assert DECODED[name](got.body) == body
    assert len(got.body) < len(body) / 3
    assert [message["type"] for message in got.messages] == ["http.response.start", "http.response.body"]
    assert got.ended


@pytest.mark.parametrize("accept", ["", "deflate", "gzip;q=0", "identity"])
def test_a_client_that_can_not_decode_gets_an_unchanged_response_with_vary(accept: str) -> None:
    got = ask(reply(head(content_type="text/html"), TEXT), accept)
    assert got.body == TEXT
    assert headers(got) == {
        "content-type": "text/html",
        "content-length": str(len(TEXT)),
        "vary": "Accept-Encoding",
    }


@pytest.mark.parametrize("size", [0, 5, 1023])
def test_a_small_response_in_one_message_stays_though_roadrunner_compresses_five_bytes(size: int) -> None:
    got = ask(reply(head(), b"x" * size))
    assert (got.body, "content-encoding" in headers(got)) == (b"x" * size, False)


def test_a_response_that_would_not_get_smaller_is_unchanged() -> None:
    noise = random.Random(1).randbytes(5000)
    got = ask(reply(head(etag='"1"'), noise))
    assert got.body == noise
    assert headers(got) == {"etag": '"1"', "content-length": "5000", "vary": "Accept-Encoding"}


@pytest.mark.parametrize(
    "fields",
    [
        {"content_encoding": "br"},
        {"content_range": "bytes 0-1/2"},
        {"no_gzip_compression": "1"},
        {"content_type": "image/jpeg"},
        {"cache_control": "no-transform"},
    ],
)
def test_responses_that_must_not_be_compressed_are_unchanged(fields: dict[str, str]) -> None:
    got = ask(reply(head(**fields), TEXT))
    assert got.body == TEXT
    assert headers(got)["vary"] == "Accept-Encoding"
    assert "no-gzip-compression" not in headers(got)
    assert headers(got).get("content-encoding") == fields.get("content_encoding")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204)])
def test_a_response_without_a_body_is_unchanged(method: str, status: int) -> None:
    got = ask(reply(head(status, content_length="5000")), "br", method)
    assert got.body == b""
    assert got.ended
    assert "content-encoding" not in headers(got)
    assert headers(got)["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_of_a_stream_is_sent_before_the_next_is_requested(name: str) -> None:
    chunks = [b"data: 1\n\n", b"data: 2\n\n", LARGE, b"data: 3\n\n"]
    got = ask(streamed((head(content_type="text/event-stream"), b""), *((b"", chunk) for chunk in chunks)), name)
    assert headers(got) == {
        "content-type": "text/event-stream",
        "vary": "Accept-Encoding",
        "content-encoding": name,
    }
    pieces = [message["body"] for message in got.messages[1:]]
    assert len(pieces) == 5
    assert all(pieces)  # the last one ends the encoding
    assert DECODED[name](got.body) == b"".join(chunks)
    assert got.ended


def test_the_head_of_a_stream_does_not_wait_for_its_first_chunk() -> None:
    sent: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sent.append("head")
        assert len(got.messages) == 1
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body"})

    got = Exchange(http_scope(headers={"accept-encoding": "gzip"}))
    got.run(layer(app))
    assert sent == ["head"]
    assert DECODED["gzip"](got.body) == b""


@pytest.mark.parametrize(("length", "encoded"), [(len(TEXT) * 2, True), (10, False)])
def test_a_stream_with_a_length_is_compressed_if_it_is_long_enough(length: int, encoded: bool) -> None:
    body = (TEXT * 2)[:length]
    got = ask(streamed((head(content_length=str(length)), body[:5]), (b"", body[5:])))
    assert ("content-encoding" in headers(got), "content-length" in headers(got)) == (encoded, not encoded)
    assert (DECODED["gzip"](got.body) if encoded else got.body) == body


def test_a_stream_that_breaks_has_no_end() -> None:
    got = ask(streamed((head(), TEXT), WorkerCrashed(1, "EOF", None, "", "")))
    assert not got.ended
    assert zlib.decompressobj(31).decompress(got.body) == TEXT


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_client_that_disconnects_ends_the_response(stage: int) -> None:
    """The server raises an error from ``send``; the worker's stream is stopped."""
    pool = ScriptedPool(streamed((head(), TEXT), *((b"", TEXT) for _ in range(5))))
    left = 0

    async def send(message: Message) -> None:
        nonlocal left
        left += 1
        if left > stage:
            raise OSError("gone")

    async def main() -> None:
        exchange = Exchange(http_scope(headers={"accept-encoding": "br"}))
        await layer(worker_app(pool))(exchange.scope, exchange.receive, send)

    asyncio.run(main())
    assert left == stage + 1
    assert pool.answer.stream.dropped


def test_a_request_cancelled_while_a_thread_compresses_ends() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def main() -> None:
        codings = available(["gzip"], "fast")
        coding = codings["gzip"]

        def slow(data: bytes) -> bytes:
            begun.set()
            go_on.wait(10)
            return coding.whole(data)

        object.__setattr__(coding, "whole", slow)
        app = Compress(worker_app(ScriptedPool(reply(head(), LARGE))), codings, Rules(0))
        exchange = Exchange(http_scope(headers={"accept-encoding": "gzip"}))
        task = asyncio.create_task(app(exchange.scope, exchange.receive, exchange.send))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert exchange.messages == []

    asyncio.run(main())


# -- files -------------------------------------------------------------------------------------------------------------


def files(path: Path, *more: tuple[bytes, bytes]) -> ASGIApp:
    """Sends a file by its path, as some servers support it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size = path.stat().st_size if path.exists() else 5000
        fields = [(b"content-length", b"%d" % size), *more]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.pathsend", "path": str(path)})

    return app


def test_a_file_that_the_server_would_send_is_read_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.css"
    path.write_bytes(LARGE * 2)
    got = Exchange(http_scope(headers={"accept-encoding": "br"})).run(layer(files(path)))
    assert headers(got) == {"vary": "Accept-Encoding", "content-encoding": "br"}
    assert DECODED["br"](got.body) == LARGE * 2
    assert got.ended


def test_a_file_that_is_not_compressed_is_still_sent_by_the_server(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(LARGE)
    app = layer(files(path, (b"content-type", b"image/png")))
    got = Exchange(http_scope(headers={"accept-encoding": "br"})).run(app)
    assert got.messages[1] == {"type": "http.response.pathsend", "path": str(path)}


def test_a_missing_file_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    got = Exchange(http_scope(headers={"accept-encoding": "br"}))
    with pytest.raises(FileNotFoundError):
        got.run(layer(files(tmp_path / "gone")))
    assert got.messages == []


@pytest.mark.parametrize("kind", ["text/css", "image/png"])
@pytest.mark.parametrize("extensions", [[], [ZERO_COPY]], ids=["read", "zero copy"])
def test_an_open_file_is_compressed_or_passed_on(tmp_path: Path, kind: str, extensions: list[str]) -> None:
    (tmp_path / "a").write_bytes(LARGE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a")
        assert file is not None
        await send_file(scope, send, file, content_type=kind.encode(), etag=b'"e"')

    scope = http_scope(headers={"accept-encoding": "br"}, extensions=extensions)
    got = Exchange(scope).run(layer(app))
    if kind == "text/css":
        assert DECODED["br"](got.body) == LARGE
        assert headers(got)["etag"] == 'W/"e"'
        assert "accept-ranges" not in headers(got)
    else:
        assert (got.messages[1]["type"] == ZERO_COPY) is bool(extensions)
        assert headers(got)["etag"] == '"e"'
    assert got.messages[-1].get("more_body", False) is False


def test_parts_of_open_files_between_bytes_are_one_stream(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LARGE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with open(tmp_path / "a", "rb") as file:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<", "more_body": True})
            await send({"type": ZERO_COPY, "file": file, "offset": 10, "count": 5, "more_body": True})
            await send({"type": ZERO_COPY, "file": file, "more_body": True})
            await send({"type": "http.response.body", "body": b">"})

    got = Exchange(http_scope(headers={"accept-encoding": "gzip"})).run(layer(app))
    assert DECODED["gzip"](got.body) == b"<" + LARGE[10:15] + LARGE + b">"


def test_an_open_file_that_gets_shorter_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LARGE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with open(tmp_path / "a", "rb") as file:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": ZERO_COPY, "file": file, "offset": 0, "count": len(LARGE) + 1})

    got = Exchange(http_scope(headers={"accept-encoding": "gzip"}))
    with pytest.raises(OSError, match="shorter"):
        got.run(layer(app))
    assert not got.ended


# -- the config --------------------------------------------------------------------------------------------------------


def test_the_config_decides_what_is_offered() -> None:
    config = GzipConfig(encodings=["gzip", "br"], min_length=5, exclude_types=["text/csv"])
    around = build(Setup(config=HttpConfig(gzip=config), effective={}))
    assert around is not None

    def got(accept: str, kind: str) -> dict[str, str]:
        app = around(worker_app(ScriptedPool(reply(head(content_type=kind), b"x" * 200))))
        return headers(Exchange(http_scope(headers={"accept-encoding": accept})).run(app))

    assert got("zstd, br, gzip", "text/html")["content-encoding"] == "gzip"
    assert got("zstd, br", "text/html")["content-encoding"] == "br"
    assert "content-encoding" not in got("zstd", "text/html")
    assert "content-encoding" not in got("br", "text/csv")


@pytest.mark.parametrize(
    ("config", "level"), [(GzipConfig(), "DEBUG"), (GzipConfig(encodings=["zstd", "br"]), "WARNING")]
)
def test_a_coding_without_its_library_is_logged_and_not_offered(
    config: GzipConfig, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyroadrunner.content import codings

    monkeypatch.setitem(codings._MAKERS, "zstd", lambda level: None)
    with logged("http") as log:
        around = build(Setup(config=HttpConfig(gzip=config), effective={}))
    [(told_at, _, fields)] = log.lines
    assert (told_at, fields) == (level, {"codings": ["zstd"]})  # a warning only if the config names it
    app = around(worker_app(ScriptedPool(reply(head(), TEXT))))
    got = Exchange(http_scope(headers={"accept-encoding": "zstd, br;q=0.1"})).run(app)
    assert headers(got)["content-encoding"] == "br"


@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_any_iterable_of_headers_is_accepted_and_none(accept: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200}
        if scope["path"] == "/some":
            start["headers"] = iter([(b"x-a", b"1"), (b"content-length", b"%d" % len(TEXT))])
        await send(start)
        await send({"type": "http.response.body", "body": TEXT})

    for path in ("/some", "/none"):
        got = Exchange(http_scope(target=path, headers={"accept-encoding": accept})).run(layer(app))
        assert (DECODED["gzip"](got.body) if accept == "gzip" else got.body) == TEXT
        assert headers(got)["vary"] == "Accept-Encoding"
        assert ("x-a" in headers(got)) == (path == "/some")


def test_other_scopes_pass() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    exchange = Exchange({"type": "websocket"})
    exchange.run(layer(app))
    assert seen == [{"type": "websocket"}]
