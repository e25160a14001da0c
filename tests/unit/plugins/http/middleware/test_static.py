"""Requests for a file get the file; all others go to the workers."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.content.file_answer import ZERO_COPY
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.middleware.config import StaticConfig
from pyroadrunner.plugins.http.middleware.public import PublicFolder
from pyroadrunner.plugins.http.middleware.registry import Setup
from pyroadrunner.plugins.http.middleware.static import StaticError, build
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.http_section import read_http
from support.log import logged


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_text("body {}")
    (tmp_path / "index.php").write_text("<?php")
    (tmp_path / "data.unknown").write_text("text")
    (tmp_path / "image.unknown").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "large.bin").write_bytes(b"x" * 100_000)
    return tmp_path


def ask(
    site: Path, target: str, method: str = "GET", headers: dict[str, str] | None = None, **options: Any
) -> Exchange:
    """The response; the worker sends ``ok``."""
    extensions = options.pop("extensions", ())
    config = HttpConfig(static=StaticConfig(dir=str(site), **options))
    layer = build(Setup(config=config, effective={}))
    assert layer is not None
    scope = http_scope(method, target, headers or {}, extensions=extensions)
    return Exchange(scope).run(layer(worker_app(ScriptedPool())))


def test_a_file_is_served_with_its_headers(site: Path) -> None:
    exchange = ask(site, "/a.css?v=1", response={"X-Static": "1"}, calculate_etag=True)
    assert (exchange.status, exchange.body) == (200, b"body {}")
    found = dict(exchange.headers)
    assert found.pop("last-modified").endswith(" GMT")
    assert found.pop("etag").startswith('"7-')
    assert found == {
        "content-type": "text/css; charset=utf-8",
        "x-static": "1",
        "accept-ranges": "bytes",
        "content-length": "7",
    }


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/missing.css"),
        ("GET", "/index.php"),
        ("POST", "/a.css"),
        ("OPTIONS", "/a.css"),
        ("DELETE", "/a.css"),
    ],
)
def test_requests_without_a_file_go_to_the_workers(site: Path, method: str, target: str) -> None:
    assert ask(site, target, method).headers == [("content-length", "2")]


def test_php_source_is_served_only_if_explicitly_allowed(site: Path) -> None:
    assert ask(site, "/index.php", allow=[".php"]).body == b"<?php"


def test_head_has_no_body(site: Path) -> None:
    exchange = ask(site, "/a.css", "HEAD")
    assert (exchange.status, exchange.body, dict(exchange.headers)["content-length"]) == (200, b"", "7")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_path_with_two_dots_is_403(site: Path, method: str) -> None:
    exchange = ask(site, "/x/..%2f..%2fetc/passwd", method)
    assert (exchange.status, exchange.body, exchange.ended) == (403, b"", True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"range": "bytes=1-3"}, 206),
        ({"range": "bytes=0-0,2-3"}, 206),
        ({"range": "bytes=7-"}, 416),
        ({"if-modified-since": "Fri, 31 Dec 9999 23:59:59 GMT"}, 304),
        ({"if-match": '"other"'}, 412),
        ({"range": "bytes=1-3", "if-range": '"other"'}, 200),
    ],
)
def test_conditions_and_ranges_are_supported(site: Path, headers: dict[str, str], status: int) -> None:
    assert ask(site, "/a.css", headers=headers, calculate_etag=True).status == status


def test_a_client_with_the_current_etag_gets_no_body(site: Path) -> None:
    for weak in (False, True):
        etag = dict(ask(site, "/a.css", calculate_etag=True, weak=weak).headers)["etag"]
        exchange = ask(site, "/a.css", headers={"if-none-match": etag}, calculate_etag=True, weak=weak)
        assert (exchange.status, exchange.body) == (304, b"")


@pytest.mark.parametrize(
    ("target", "options", "kind"),
    [
        ("/data.unknown", {}, "text/plain; charset=utf-8"),
        ("/image.unknown", {}, "image/png"),
        ("/a.css", {"response": {"Content-Type": "text/x-own"}}, "text/x-own"),
    ],
)
def test_the_content_type(site: Path, target: str, options: dict[str, Any], kind: str) -> None:
    types = [value for name, value in ask(site, target, **options).headers if name == "content-type"]
    assert types == [kind]


def test_a_large_file_is_sent_by_the_server(site: Path) -> None:
    [_, piece] = ask(site, "/large.bin", extensions=[ZERO_COPY]).messages
    assert (piece["type"], piece["offset"], piece["count"], piece["more_body"]) == (ZERO_COPY, 0, 100_000, False)
    assert ask(site, "/large.bin").body == b"x" * 100_000


def test_a_request_for_a_file_that_can_not_be_opened_goes_to_a_worker(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: PublicFolder, raw: bytes) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(PublicFolder, "find", full)
    with logged("http") as log:
        assert ask(site, "/a.css").body == b"ok"
    assert "Too many open files" in log.of("static file can't be opened; passing the request to a worker")[0]["error"]


def test_a_client_that_disconnects_is_no_error(site: Path) -> None:
    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            raise ConnectionResetError

    layer = build(Setup(config=HttpConfig(static=StaticConfig(dir=str(site))), effective={}))
    assert layer is not None
    for target in ("/a.css", "/../x"):
        Gone(http_scope("GET", target)).run(layer(worker_app(ScriptedPool())))


@pytest.mark.parametrize(
    ("folder", "why"), [("", "is required"), ("missing", "missing is not a folder"), ("a.css", "a.css is not a")]
)
def test_a_missing_folder_stops_the_start(site: Path, folder: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    with pytest.raises(StaticError, match=why):
        build(Setup(config=HttpConfig(static=StaticConfig(dir=folder)), effective={}))


def test_without_options_there_is_no_layer() -> None:
    assert build(Setup(config=HttpConfig(), effective={})) is None


def test_the_config_of_octane_and_of_the_manual_is_read() -> None:
    assert read_http({"middleware": "static", "static": {"dir": "public"}})[1:] == ([], [])
    _, faults, warnings = read_http(
        {"static": {"dir": "public", "forbid": [""], "allow": ".css,.js", "request": {"X": "1"}, "response": {"Y": 1}}}
    )
    assert faults == []
    [warning] = warnings
    assert "http.static.request: is not part of this version" in warning
    [fault] = read_http({"static": {"dir": "public", "response": {"Content-Length": "1"}}})[1]
    assert "is set by the server" in fault
