"""The middleware ``static`` and ``sendfile`` in the real server: responses for curl, disconnects, private files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.plugins.http.middleware.public import Extensions, PublicFolder
from pyroadrunner.plugins.http.middleware.static import Static
from support.asgi import ScriptedPool, worker_app
from support.fastcgi import ask, responding
from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "layers.php"
LARGE = 40 << 20
PROTOCOLS = pytest.mark.parametrize("flags", [[], ["--http2-prior-knowledge"]], ids=["http/1.1", "http/2"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    public = folder / "public"
    public.mkdir()
    (public / "a.css").write_text("body {}\n" * 1000)
    (public / "index.php").write_text("<?php secret")
    (public / ".env").write_text("secret")
    (folder / "secret.txt").write_text("secret")
    (folder / "storage").mkdir()
    (folder / "storage" / "photo.png").write_text("photo")
    (folder / "storage" / "out.txt").symlink_to(folder / "secret.txt")
    (public / "storage").symlink_to("../storage")
    with (public / "large.bin").open("wb") as file:
        for number in range(LARGE // 65536):
            file.write(hashlib.sha256(str(number).encode()).digest() * 2048)
    return folder


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[Server]:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "middleware": ["sendfile", "static", "gzip"],
            "static": {"dir": "public", "calculate_etag": True, "response": {"Cache-Control": "max-age=60"}},
            "http2": {"h2c": True},
        },
        "logs": {"mode": "production", "output": "stderr", "channels": {"http": {"level": "debug"}}},
    }
    with Server(site, config) as running:
        yield running


def curl(server: Server, target: str, *flags: str) -> tuple[int, dict[str, str], bytes]:
    command = ["curl", "-sS", "--path-as-is", "-D", "-", *flags, f"{server.url}{target}"]
    head, _, body = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


def files_open(server: Server, name: str) -> int:
    """How often the server has a file with this name open."""
    folder = f"/proc/{server.pid}/fd"
    found = 0
    for fd in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{fd}").endswith(name)
        except OSError:
            continue
    return found


@PROTOCOLS
def test_small_and_large_files_arrive_completely(server: Server, site: Path, flags: list[str]) -> None:
    for name, kind in (("a.css", "text/css; charset=utf-8"), ("large.bin", "application/octet-stream")):
        status, headers, body = curl(server, f"/{name}", *flags)
        expected = (site / "public" / name).read_bytes()
        assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, "max-age=60")
        assert headers["content-length"] == str(len(expected))
        assert hashlib.sha1(body).digest() == hashlib.sha1(expected).digest()


@PROTOCOLS
def test_ranges_arrive_as_requested(server: Server, site: Path, flags: list[str]) -> None:
    content = (site / "public" / "large.bin").read_bytes()
    status, headers, body = curl(server, "/large.bin", "-r", f"{LARGE // 2}-", *flags)
    assert (status, headers["content-range"]) == (206, f"bytes {LARGE // 2}-{LARGE - 1}/{LARGE}")
    assert body == content[LARGE // 2 :]
    status, headers, body = curl(server, "/large.bin", "-r", "0-3,100000-300000", *flags)
    assert (status, headers["content-type"].split(";")[0]) == (206, "multipart/byteranges")
    assert content[:4] in body
    assert content[100_000:300_001] in body
    assert curl(server, "/large.bin", "-r", f"{LARGE}-", *flags)[0] == 416


def test_a_file_that_the_client_has_is_not_sent_again(server: Server) -> None:
    _, headers, _ = curl(server, "/a.css")
    for condition in (f"If-None-Match: {headers['etag']}", f"If-Modified-Since: {headers['last-modified']}"):
        status, again, body = curl(server, "/a.css", "-H", condition)
        assert (status, body) == (304, b"")
        assert (again["etag"], again["cache-control"]) == (headers["etag"], "max-age=60")


def test_a_file_is_compressed_by_the_outer_middleware(server: Server, site: Path) -> None:
    status, headers, body = curl(server, "/a.css", "--compressed", "-H", "Accept-Encoding: gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert body == (site / "public" / "a.css").read_bytes()
    _, headers, body = curl(server, "/large.bin", "--compressed", "-H", "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert body == (site / "public" / "large.bin").read_bytes()


@pytest.mark.parametrize(
    "target",
    [
        "/index.php",
        "/index.PHP",
        "/index%2ephp",
        "/index.php%00.css",
        "/index.php/.css",
        "/.env",
        "/%2eenv",
        "/x/../.env",
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "//../secret.txt",
        "/public/../../secret.txt",
        "/storage/out.txt",
        "/storage/../../secret.txt",
    ],
)
def test_private_files_are_not_served(server: Server, target: str) -> None:
    status, _, body = curl(server, target)
    assert b"secret" not in body.replace(b"secret.txt", b"")
    assert status in (200, 400, 403)  # from the worker, or refused


def test_laravels_storage_is_served(server: Server) -> None:
    assert curl(server, "/storage/photo.png")[::2] == (200, b"photo")


def test_other_requests_are_served_while_a_client_reads_slowly(server: Server) -> None:
    async def main() -> None:
        slow = Client(*await asyncio.open_connection(*server.address))
        await slow.send(request(target="/large.bin"))
        await slow.until(b"\r\n\r\n")  # only the head
        for target in ("/a.css", "/"):
            other = Client(*await asyncio.open_connection(*server.address))
            await other.send(request(target=target))
            assert split(await other.rest())[0] == 200
            other.close()
        assert files_open(server, "large.bin") > 0
        slow.abort()
        async with asyncio.timeout(20):
            while files_open(server, "large.bin"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    run(main())


def test_a_file_that_becomes_shorter_closes_the_connection(server: Server, site: Path) -> None:
    path = site / "public" / "shrinking.bin"
    path.write_bytes(b"x" * LARGE)

    async def main() -> None:
        client = Client(*await asyncio.open_connection(*server.address))
        await client.send(request(target="/shrinking.bin"))
        head = await client.until(b"\r\n\r\n")
        os.truncate(path, 1000)
        body = await client.rest()
        assert f"content-length: {LARGE}".encode() in head.lower()
        assert len(body) < LARGE
        client.close()

    run(main())
    assert curl(server, "/a.css")[0] == 200


@PROTOCOLS
def test_a_worker_names_a_file(server: Server, site: Path, flags: list[str]) -> None:
    status, headers, body = curl(server, "/sendfile?file=public/large.bin", *flags)
    assert (status, headers["content-length"], headers["x-more"]) == (200, str(LARGE), "1")
    assert "x-sendfile" not in headers
    assert hashlib.sha1(body).digest() == hashlib.sha1((site / "public" / "large.bin").read_bytes()).digest()
    assert curl(server, f"/sendfile/stream?file={site}/secret.txt", *flags)[::2] == (200, b"secret")
    assert curl(server, "/stream", *flags)[::2] == (200, b"one two")


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [("../secret.txt", 403, b""), ("missing.txt", 404, b"not found\n"), ("public", 500, b"not a regular file\n")],
)
def test_a_file_that_can_not_be_sent(server: Server, name: str, status: int, body: bytes) -> None:
    assert curl(server, f"/sendfile?file={name}")[::2] == (status, body)


def test_a_file_is_sent_over_fastcgi_too(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"0123456789abcdef" * 65536)
    folder = PublicFolder(str(tmp_path), Extensions([], []))

    async def main() -> bytes:
        async with responding(Static(worker_app(ScriptedPool()), folder)) as responder:
            web_server = await responder.connect()
            await web_server.send(ask(REQUEST_METHOD="GET", REQUEST_URI="/a.bin"))
            answer = await web_server.answer()
            web_server.close()
            return answer

    head, _, body = run(main()).partition(b"\r\n\r\n")
    assert f"content-length: {1 << 20}".encode() in head
    assert body == (tmp_path / "a.bin").read_bytes()


def test_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").touch()  # as Octane starts it
    options = {
        "version": "3",
        "http.address": "127.0.0.1:0",
        "server.command": f"{require_php()},{WORKER}",
        "http.middleware": "static",
        "http.static.dir": "public",
    }
    done = rr(*(word for key, value in options.items() for word in ("-o", f"{key}={value}")), "serve", cwd=tmp_path)
    assert done.code == 1
    assert f"http.static.dir: public is not a folder (looked in {tmp_path})" in done.stderr
