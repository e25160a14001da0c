"""Compressed copies of files in the static middleware."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.content.codings import NAMES, available
from pyroadrunner.content.compressible import Rules
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.middleware.compress import Compress
from pyroadrunner.plugins.http.middleware.config import StaticConfig
from pyroadrunner.plugins.http.middleware.registry import Setup
from pyroadrunner.plugins.http.middleware.static import build
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("a.css", "a.css.br", "a.css.gz", "b.css", "b.css.zst", "c.png", "c.png.br"):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, (1000, 1000))
    return folder


def ask(site: Path, target: str, accept: str = "", *, packed: bool = False, **options: Any) -> Exchange:
    config = HttpConfig(static=StaticConfig(dir=str(site), **{"precompressed": True, **options}))
    around = build(Setup(config=config, effective={}))
    assert around is not None
    app = around(worker_app(ScriptedPool()))
    if packed:
        app = Compress(app, available(NAMES, "fast"), Rules(0))
    return Exchange(http_scope("GET", target, {"accept-encoding": accept} if accept else {})).run(app)


@pytest.mark.parametrize(
    ("target", "accept", "sent", "coding"),
    [
        ("/a.css", "gzip, br, zstd", "a.css.br", "br"),  # no .zst exists
        ("/a.css", "gzip", "a.css.gz", "gzip"),
        ("/a.css", "br;q=0.5, gzip", "a.css.gz", "gzip"),
        ("/a.css", "zstd", "a.css", None),
        ("/a.css", "", "a.css", None),
        ("/b.css", "gzip, br, zstd", "b.css.zst", "zstd"),
        ("/b.css", "gzip, br", "b.css", None),
    ],
)
def test_the_copy_that_the_client_prefers_is_sent(
    site: Path, target: str, accept: str, sent: str, coding: str | None
) -> None:
    got = ask(site, target, accept)
    headers = dict(got.headers)
    assert got.body == sent.encode()
    assert headers["content-type"] == "text/css; charset=utf-8"
    assert (headers.get("content-encoding"), headers["vary"]) == (coding, "Accept-Encoding")
    assert headers["content-length"] == str(len(sent))


def test_a_copy_has_its_own_etag_and_supports_ranges(site: Path) -> None:
    tags = {dict(ask(site, "/a.css", accept, calculate_etag=True).headers)["etag"] for accept in ("br", "gzip", "")}
    assert len(tags) == 3


def test_without_the_option_files_are_unchanged(site: Path) -> None:
    got = ask(site, "/a.css", "br", precompressed=False)
    assert got.body == b"a.css"
    assert "vary" not in dict(got.headers)


def test_files_of_compressed_types_have_no_copies(site: Path) -> None:
    got = ask(site, "/c.png", "br")
    assert got.body == b"c.png"
    assert "vary" not in dict(got.headers)


@pytest.mark.parametrize("trouble", ["older", "folder", "link", "pipe"])
def test_unusable_copies_are_not_sent(site: Path, trouble: str) -> None:
    copy = site / "a.css.br"
    if trouble == "older":
        os.utime(copy, (999, 999))
    else:
        copy.unlink()
    if trouble == "folder":
        copy.mkdir()
    elif trouble == "link":
        (site.parent / "secret").write_bytes(b"secret")
        copy.symlink_to(site.parent / "secret")
    elif trouble == "pipe":
        os.mkfifo(copy)
    assert ask(site, "/a.css", "br").body == b"a.css"


def test_options_of_the_config_and_vary_go_together(site: Path) -> None:
    got = ask(site, "/a.css", "br", response={"Vary": "Origin"})
    assert [value for name, value in got.headers if name == "vary"] == ["Origin", "Accept-Encoding"]


def test_the_middleware_gzip_leaves_copies_unchanged_and_compresses_other_files(site: Path) -> None:
    (site / "b.css").write_bytes(b"b" * 5000)
    got = ask(site, "/a.css", "br", packed=True)
    assert (got.body, [value for name, value in got.headers if name == "vary"]) == (b"a.css.br", ["Accept-Encoding"])
    got = ask(site, "/b.css", "br", packed=True)
    assert len(got.body) < 100
    assert dict(got.headers)["content-encoding"] == "br"
    assert [value for name, value in got.headers if name == "vary"] == ["Accept-Encoding"]
