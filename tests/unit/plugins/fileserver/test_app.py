"""Requests of all kinds to folders of files."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest

from pyroadrunner.content.codings import NAMES, available
from pyroadrunner.content.open_files import OpenFiles
from pyroadrunner.plugins.fileserver.app import FileServer
from pyroadrunner.plugins.fileserver.config import ServeConfig
from pyroadrunner.plugins.fileserver.mount import Mount
from support.asgi import Exchange, http_scope
from support.log import logged

CSS = b"body { color: red }\n" * 200


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "index.html").write_bytes(b"home")
    (tmp_path / "sub" / "index.html").write_bytes(b"sub")
    (tmp_path / "a.css").write_bytes(CSS)
    (tmp_path / "Größe.txt").write_bytes(b"umlaut")
    for path in tmp_path.rglob("*"):
        os.utime(path, (784_111_777, 784_111_777))
    return tmp_path


def ask(
    *serve: ServeConfig, target: str = "/", method: str = "GET", etag: bool = False, weak: bool = False, **given: str
) -> Exchange:
    codings = available(NAMES, "fast")
    app = FileServer([Mount(one, codings) for one in serve], etag=etag, weak=weak)
    headers = {name.replace("_", "-"): value for name, value in given.items()}
    scope = http_scope(method, target, headers)
    if "path" in given:
        scope["path"] = given["path"]
    return Exchange(scope).run(app)


def headers(exchange: Exchange) -> dict[str, str]:
    return dict(exchange.headers)


# -- which file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "target", "body"),
    [
        ("/", "/a.css", CSS),
        ("/", "/", b"home"),
        ("/", "/sub/", b"sub"),
        ("/", "//sub//index.html", b"sub"),
        ("/static", "/static/a.css", CSS),
        ("/static/", "/static/a.css", CSS),
        ("static", "/static/a.css", CSS),
        ("/static", "/STATIC/a.css", CSS),
        ("/Static", "/static/", b"home"),
        ("/x/y", "/x/y/sub/", b"sub"),
    ],
)
def test_a_prefix_leads_to_its_folder(root: Path, prefix: str, target: str, body: bytes) -> None:
    got = ask(ServeConfig(prefix=prefix, root=str(root)), target=target)
    assert (got.status, got.body) == (200, body)


@pytest.mark.parametrize(
    ("prefix", "target"),
    [
        ("/static", "/a.css"),
        ("/static", "/statica.css"),
        ("/static", "/static/static/a.css"),
        ("/", "/none"),
        ("/", "/empty/"),
        ("/", "/A.css"),
        ("/", "/../../etc/passwd"),
        ("/", "/sub/../a.css"),
        ("/static", "/static/../a.css"),
        ("/", "/a.css/"),
        ("/", "/a.css/x"),
        ("/", "/a.css\0"),
    ],
)
def test_a_missing_file_is_a_404_with_roadrunners_text(root: Path, prefix: str, target: str) -> None:
    got = ask(ServeConfig(prefix=prefix, root=str(root)), target=target)
    assert (got.status, got.body.decode()) == (404, f"Cannot GET {target}")
    assert headers(got)["content-type"] == "text/plain; charset=utf-8"


def test_the_text_of_a_404_can_not_inject_html(root: Path) -> None:
    got = ask(ServeConfig(prefix="/", root=str(root)), target="/<script>")
    assert got.body == b"Cannot GET /&lt;script&gt;"
    assert headers(got)["x-content-type-options"] == "nosniff"


def test_the_first_prefix_that_has_the_file_serves_it(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "a.css").write_bytes(b"other")
    (other / "b.css").write_bytes(b"more")
    serve = [
        ServeConfig(prefix="/s", root=str(root)),
        ServeConfig(prefix="/", root="/no/such"),
        ServeConfig(prefix="/S", root=str(other)),
    ]
    assert ask(*serve, target="/s/a.css").body == CSS
    assert ask(*serve, target="/s/b.css").body == b"more"
    assert ask(*serve, target="/s/c.css").status == 404


def test_names_are_decoded(root: Path) -> None:
    scope = http_scope("GET", "/Gr%C3%B6%C3%9Fe.txt")
    scope["path"] = "/Größe.txt"
    app = FileServer([Mount(ServeConfig(prefix="/", root=str(root)), {})], etag=False, weak=False)
    assert Exchange(scope).run(app).body == b"umlaut"


@pytest.mark.parametrize(
    ("target", "location"),
    [("/sub", "/sub/"), ("/sub?a=1", "/sub/?a=1"), ("//sub", "/sub/"), ("///evil.example//..//sub", None)],
)
def test_a_folder_without_a_slash_is_redirected(root: Path, target: str, location: str | None) -> None:
    """Otherwise relative links in its index break. The redirect never leads to another host."""
    got = ask(ServeConfig(prefix="/", root=str(root)), target=target)
    assert (got.status, headers(got).get("location")) == ((302, location) if location else (404, None))


# -- how it is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
def test_only_get_and_head_are_served(root: Path, method: str) -> None:
    got = ask(ServeConfig(prefix="/", root=str(root)), target="/a.css", method=method)
    assert (got.status, headers(got)["allow"]) == (405, "GET, HEAD")


def test_an_unused_body_is_read_to_its_end_or_a_limit(root: Path) -> None:
    app = FileServer([], etag=False, weak=False)
    for pieces, asked in (([b"x"] * 3, 3), ([b"x" * 40_000] * 5, 2), ([], 1)):
        got = Exchange(http_scope("POST", "/a.css"), pieces).run(app)
        assert (got.status, got.received) == (405, asked)
    assert Exchange(http_scope("POST", "/a.css"), [b"x"], gone=True).run(app).status == 405


def test_head_has_no_body(root: Path) -> None:
    got = ask(ServeConfig(prefix="/", root=str(root)), target="/a.css", method="HEAD")
    assert (got.status, got.body, headers(got)["content-length"]) == (200, b"", str(len(CSS)))
    got = ask(ServeConfig(prefix="/", root=str(root)), target="/none", method="HEAD")
    assert (got.status, got.body, headers(got)["content-length"]) == (404, b"", str(len("Cannot HEAD /none")))


def test_without_options_it_is_the_file_and_its_date(root: Path) -> None:
    got = ask(ServeConfig(prefix="/", root=str(root)), target="/a.css", range="bytes=0-1", accept_encoding="br")
    assert (got.status, got.body) == (200, CSS)
    assert headers(got) == {
        "content-type": "text/css; charset=utf-8",
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "content-length": str(len(CSS)),
    }


def test_max_age_is_sent_also_with_a_304(root: Path) -> None:
    serve = ServeConfig(prefix="/", root=str(root), max_age=60)
    assert headers(ask(serve, target="/a.css"))["cache-control"] == "public, max-age=60"
    got = ask(serve, target="/a.css", if_modified_since="Sun, 06 Nov 1994 08:49:37 GMT")
    assert (got.status, headers(got)["cache-control"]) == (304, "public, max-age=60")


def test_ranges_are_served_if_allowed(root: Path) -> None:
    serve = ServeConfig(prefix="/", root=str(root), bytes_range=True)
    got = ask(serve, target="/a.css", range="bytes=5-9")
    assert (got.status, got.body, headers(got)["content-range"]) == (206, CSS[5:10], f"bytes 5-9/{len(CSS)}")
    assert headers(ask(serve, target="/a.css"))["accept-ranges"] == "bytes"


@pytest.mark.parametrize("weak", [False, True])
def test_an_etag_is_made_from_the_content_or_from_size_and_time(root: Path, weak: bool) -> None:
    serve = ServeConfig(prefix="/", root=str(root), bytes_range=True)
    etag = headers(ask(serve, target="/a.css", etag=True, weak=weak))["etag"]
    expected = f'W/"{len(CSS)}-{784_111_777 * 10**9:x}"' if weak else f'"{len(CSS)}-{zlib.crc32(CSS)}"'
    assert etag == expected
    got = ask(serve, target="/a.css", etag=True, weak=weak, if_none_match=etag)
    assert (got.status, headers(got)["etag"]) == (304, etag)
    # The ETag of a range is that of the file. RoadRunner's differs, so clients can't resume.
    got = ask(serve, target="/a.css", etag=True, weak=weak, range="bytes=0-0", if_range=etag)
    assert (got.status, headers(got)["etag"]) == (200 if weak else 206, etag)


# -- compressed --------------------------------------------------------------------------------------------------------


def packed(root: Path, **keys: Any) -> ServeConfig:
    return ServeConfig(prefix="/", root=str(root), compress=True, bytes_range=True, **keys)


def test_a_file_is_compressed_for_clients_that_accept_it(root: Path) -> None:
    got = ask(packed(root), target="/a.css", accept_encoding="br", etag=True)
    assert brotli.decompress(got.body) == CSS
    assert headers(got) == {
        "content-type": "text/css; charset=utf-8",
        "vary": "Accept-Encoding",
        "content-encoding": "br",
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "etag": f'W/"{len(CSS)}-{zlib.crc32(CSS)}-br"',
        "content-length": str(len(got.body)),
    }
    got = ask(packed(root), target="/a.css", etag=True)
    assert (got.body, headers(got)["vary"], headers(got).get("content-encoding")) == (CSS, "Accept-Encoding", None)


def test_no_ranges_of_content_encoded_here(root: Path) -> None:
    got = ask(packed(root), target="/a.css", accept_encoding="br", range="bytes=0-3")
    assert (got.status, brotli.decompress(got.body)) == (200, CSS)


def test_a_copy_next_to_the_file_is_sent_unchanged(root: Path) -> None:
    (root / "a.css.br").write_bytes(b"copy " * 3)  # not decoded by the server
    got = ask(packed(root), target="/a.css", accept_encoding="br", etag=True)
    assert got.body == b"copy " * 3
    assert headers(got)["content-encoding"] == "br"
    assert headers(got)["content-type"] == "text/css; charset=utf-8"
    assert headers(got)["etag"] == f'"15-{zlib.crc32(b"copy " * 3)}"'
    got = ask(
        packed(root), target="/a.css", accept_encoding="br", range="bytes=0-3", if_range=headers(got)["etag"], etag=True
    )
    assert (got.status, got.body) == (206, b"copy")


def test_a_copy_that_is_older_than_its_file_is_not_sent(root: Path) -> None:
    (root / "a.css.br").write_bytes(b"old")
    os.utime(root / "a.css.br", (1, 1))
    assert brotli.decompress(ask(packed(root), target="/a.css", accept_encoding="br").body) == CSS


@pytest.mark.parametrize("name", ["a.png", "small.css"])
def test_compressed_or_small_files_are_sent_unchanged_and_do_not_vary(root: Path, name: str) -> None:
    (root / name).write_bytes(CSS if name == "a.png" else b"x" * 1023)
    got = ask(packed(root), target=f"/{name}", accept_encoding="br")
    assert got.body == (root / name).read_bytes()
    assert not {"vary", "content-encoding"} & set(headers(got))


def test_a_large_file_is_sent_encoded_only_if_a_copy_exists(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyroadrunner.plugins.fileserver.mount.LARGEST", 2000)
    got = ask(packed(root), target="/a.css", accept_encoding="br")
    assert (got.body, headers(got)["vary"]) == (CSS, "Accept-Encoding")
    (root / "a.css.gz").write_bytes(b"copy")
    assert ask(packed(root), target="/a.css", accept_encoding="br, gzip").body == b"copy"


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_read_error_is_a_500_and_is_logged(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: OpenFiles, path: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(OpenFiles, "open", full)
    with logged("fileserver") as log:
        got = ask(ServeConfig(prefix="/", root=str(root)), target="/a.css")
    assert got.status == 500
    assert "Too many open files" in log.of("a file can't be read")[0]["error"]


def test_a_disconnected_client_is_not_an_error(root: Path) -> None:
    class Gone(Exchange):
        async def send(self, message: Any) -> None:
            await super().send(message)
            if len(self.messages) == 2:
                raise OSError("gone")

    app = FileServer([Mount(ServeConfig(prefix="/", root=str(root)), {})], etag=False, weak=False)
    with logged("fileserver") as log:
        Gone(http_scope(target="/a.css")).run(app)
    assert [level for level, _, _ in log.lines] == ["DEBUG"]


def test_a_websocket_is_refused_and_there_is_no_lifespan(root: Path) -> None:
    app = FileServer([], etag=False, weak=False)
    assert Exchange({"type": "websocket"}).run(app).messages == [{"type": "websocket.close"}]
    with pytest.raises(NotImplementedError):
        Exchange({"type": "lifespan"}).run(app)
