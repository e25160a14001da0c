"""Files as responses: all methods, conditions and parts; sent by the server (zero copy) or read here."""

from __future__ import annotations

import asyncio
import os
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.content.file_answer import ZERO_COPY, send_file, send_whole
from pyroadrunner.content.open_files import OpenFile, OpenFiles
from support.asgi import Exchange, http_scope

BODY = bytes(range(256)) * 10
LARGE = BODY * 20
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture(params=[False, True], ids=["read", "zero copy"])
def zero_copy(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class Got(Exchange):
    """An exchange with a server that supports zero copy."""

    @property
    def body(self) -> bytes:
        return b"".join(_piece(message) for message in self.messages[1:])


def _piece(message: Any) -> bytes:
    if message["type"] == ZERO_COPY:
        return os.pread(message["file"].fileno(), message["count"], message["offset"])
    return bytes(message.get("body", b""))


def ask(folder: Path, zero_copy: bool, method: str = "GET", body: bytes = BODY, **given: Any) -> Got:
    """The response to a request with these headers; ``if_range="x"`` is the header ``If-Range``."""
    (folder / "a.bin").write_bytes(body)
    os.utime(folder / "a.bin", (784_111_777, 784_111_777))
    etag = given.pop("etag", b"")
    ranges = given.pop("ranges", True)
    headers = {name.replace("_", "-"): value for name, value in given.items()}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        file = await OpenFiles(0).open(f"{folder}/a.bin")
        assert file is not None
        extra = [(b"cache-control", b"max-age=1")]
        await send_file(scope, send, file, content_type=b"x/y", etag=etag, headers=extra, ranges=ranges)
        held.append(file)

    held: list[Any] = []
    got = Got(http_scope(method, "/", headers, extensions=[ZERO_COPY] if zero_copy else []))
    got.run(app)
    got.body  # while the file is open  # noqa: B018
    return got


def test_a_whole_file(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, body=LARGE, etag=b'"e"')
    assert (got.status, got.body) == (200, LARGE)
    assert got.headers == [
        ("content-type", "x/y"),
        ("cache-control", "max-age=1"),
        ("last-modified", DATE),
        ("etag", '"e"'),
        ("accept-ranges", "bytes"),
        ("content-length", "51200"),
    ]
    assert any(message["type"] == ZERO_COPY for message in got.messages) is zero_copy
    assert got.messages[-1].get("more_body", False) is False


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_small_file_in_the_page_cache_is_sent_directly(
    tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenFile, "read_now", lambda file, count: BODY[:count] if in_memory else None)
    got = ask(tmp_path, True)
    assert got.body == BODY
    assert [message["type"] for message in got.messages[1:]] == ["http.response.body" if in_memory else ZERO_COPY]


def test_send_whole_ignores_conditions(tmp_path: Path, zero_copy: bool) -> None:
    (tmp_path / "a.bin").write_bytes(LARGE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a.bin")
        assert file is not None
        await send_whole(scope, send, file, [(b"x-a", b"1")])
        held.append(file)

    held: list[Any] = []
    headers = {"range": "bytes=0-1", "if-none-match": "*"}
    got = Got(http_scope("GET", "/", headers, extensions=[ZERO_COPY] if zero_copy else []))
    got.run(app)
    assert (got.status, got.headers, got.body) == (200, [("x-a", "1"), ("content-length", "51200")], LARGE)


def test_head_has_the_same_headers_and_no_body(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, "HEAD", range="bytes=0-1")
    assert (got.status, got.body, dict(got.headers)["content-length"]) == (200, b"", "2560")


def test_an_empty_file_ends(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, body=b"")
    assert (got.status, got.body, dict(got.headers)["content-length"], got.ended) == (200, b"", "0", True)


@pytest.mark.parametrize(
    ("asked", "place"), [("bytes=2-5", (2, 5)), ("bytes=-3", (2557, 2559)), ("bytes=2000-", (2000, 2559))]
)
def test_a_part(tmp_path: Path, zero_copy: bool, asked: str, place: tuple[int, int]) -> None:
    got = ask(tmp_path, zero_copy, range=asked)
    first, last = place
    headers = dict(got.headers)
    assert (got.status, got.body) == (206, BODY[first : last + 1])
    assert headers["content-range"] == f"bytes {first}-{last}/2560"
    assert headers["content-length"] == str(last + 1 - first)


def test_parts_are_a_valid_mime_message(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, range="bytes=0-9,65-70")
    headers = dict(got.headers)
    assert (got.status, len(got.body)) == (206, int(headers["content-length"]))
    message = message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + got.body)
    assert message.get_content_type() == "multipart/byteranges"
    parts = message.get_payload()
    assert [(part["Content-Range"], part["Content-Type"]) for part in parts] == [
        ("bytes 0-9/2560", "x/y"),
        ("bytes 65-70/2560", "x/y"),
    ]
    assert parts[1].get_payload(decode=True) == BODY[65:71]
    assert got.messages[-1].get("more_body", False) is False


def test_a_part_outside_the_file_gives_416(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, range="bytes=9999-", etag=b'"e"')
    assert (got.status, got.body) == (416, b"")
    assert dict(got.headers) == {
        "cache-control": "max-age=1",
        "etag": '"e"',
        "accept-ranges": "bytes",
        "content-range": "bytes */2560",
        "content-length": "0",
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"e"'}, 304),
        ({"if_modified_since": DATE}, 304),
        ({"if_match": '"x"'}, 412),
        ({"range": "bytes=0-1", "if_range": '"e"'}, 206),
        ({"range": "bytes=0-1", "if_range": '"x"'}, 200),
        ({"range": "bytes=0-1", "if_none_match": '"e"'}, 304),
        ({"range": "bytes=0-1", "ranges": False}, 200),
        ({"range": "lines=0-1"}, 200),
    ],
)
def test_conditions(tmp_path: Path, zero_copy: bool, headers: dict[str, Any], status: int) -> None:
    got = ask(tmp_path, zero_copy, etag=b'"e"', **headers)
    assert got.status == status
    assert len(got.body) == {200: 2560, 206: 2}.get(status, 0)


def test_a_304_has_the_common_headers_but_none_of_the_body(tmp_path: Path, zero_copy: bool) -> None:
    got = ask(tmp_path, zero_copy, etag=b'"e"', if_none_match='"e"', ranges=False)
    assert got.headers == [("cache-control", "max-age=1"), ("last-modified", DATE), ("etag", '"e"')]


def test_without_ranges_the_header_accept_ranges_is_absent(tmp_path: Path, zero_copy: bool) -> None:
    assert "accept-ranges" not in dict(ask(tmp_path, zero_copy, ranges=False).headers)


def test_a_file_that_becomes_shorter_fails_the_response(tmp_path: Path) -> None:
    """The server then closes the connection, so the client detects it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a")
        assert file is not None
        os.truncate(tmp_path / "a", 10)
        await send_file(scope, send, file, content_type=b"x/y")

    (tmp_path / "a").write_bytes(BODY)
    got = Got(http_scope())
    with pytest.raises(OSError, match="shorter"):
        got.run(app)
    assert got.body == b""
    assert not got.ended


def test_a_large_file_is_sent_in_pieces_and_a_client_that_stops_reading_is_disconnected(
    tmp_path: Path, zero_copy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyroadrunner.content.file_answer.STALL_TIMEOUT", 0.0)
    (tmp_path / "a").write_bytes(bytes(3 << 20))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        file = await OpenFiles(0).open(f"{tmp_path}/a")
        assert file is not None
        await send_file(scope, send, file, content_type=b"x/y")

    class Stalled(Got):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if len(self.messages) == 3:
                await asyncio.Event().wait()

    got = Stalled(http_scope(extensions=[ZERO_COPY] if zero_copy else []))
    with pytest.raises(TimeoutError):
        got.run(app)
    assert [message["more_body"] for message in got.messages[1:]] == [True] * (len(got.messages) - 1)
