"""The middleware ``gzip`` in the real server: decoding with curl, flushing, disconnects."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).parent.parent / "support" / "workers" / "pages.php"
LINE = b"<p>a line of the page</p>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 2}, "middleware": ["gzip"], "http2": {"h2c": True}},
    }
    with Server(tmp_path_factory.mktemp("compress"), config) as running:
        yield running


def curl(server: Server, path: str, accept: str, *flags: str) -> tuple[dict[str, str], bytes, int]:
    """Headers, the decoded body, and the number of bytes on the wire."""
    command = ["curl", "-sS", "--compressed", "-H", f"Accept-Encoding: {accept}", "-D", "-"]
    command += ["-w", "%{stderr}%{size_download}", *flags, f"{server.url}{path}"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body, int(done.stderr)


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Client]:
    """A connection that is closed at the end."""
    client = Client(*await asyncio.open_connection(*server.address))
    try:
        yield client
    finally:
        client.abort()


@pytest.mark.parametrize("flags", [[], ["--http2-prior-knowledge"]], ids=["http/1.1", "http/2"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_curl_decodes_every_encoding(server: Server, coding: str, flags: list[str]) -> None:
    for path, body in (("/page", LINE * 1000), ("/large", LINE * 200_000), ("/missing", b"not found " * 1000)):
        headers, got, size = curl(server, path, coding, *flags)
        assert got == body
        assert headers["content-encoding"] == coding
        assert headers["vary"] == "Accept-Encoding"
        assert int(headers["content-length"]) == size < len(body) / 10


def test_the_best_encoding_that_curl_offers_is_used(server: Server) -> None:
    done = subprocess.run(
        ["curl", "-sS", "--compressed", "-o", "/dev/null", "-D", "-", f"{server.url}/page"],
        capture_output=True,
        check=True,
    )
    assert b"content-encoding: zstd" in done.stdout.lower()
    assert b'etag: w/"v1"' in done.stdout.lower()


def test_small_compressed_or_unwanted_responses_are_unchanged(server: Server) -> None:
    headers, body, _ = curl(server, "/small", "gzip")
    assert (body, headers.get("content-encoding")) == (b"small", None)
    headers, body, size = curl(server, "/own", "br, gzip")
    assert (headers["content-encoding"], body) == ("gzip", b"packed " * 1000)
    headers, body, size = curl(server, "/page", "identity")
    assert (size, headers.get("content-encoding"), headers["etag"]) == (25_000, None, '"v1"')


def test_head_has_the_length_of_the_uncompressed_page(server: Server) -> None:
    async def main() -> bytes:
        async with client_of(server) as client:
            await client.send(request("HEAD", "/page", accept_encoding="gzip"))
            return await client.rest()

    _, headers, body = split(run(main()))
    assert (headers["content-length"], headers.get("content-encoding"), body) == (["25000"], None, b"")
    assert headers["vary"] == ["Accept-Encoding"]


def chunks_of(data: bytes) -> bytes:
    """The data of all complete chunks (RFC 9112, section 7.1)."""
    found = b""
    while match := re.match(rb"([0-9a-fA-F]+)\r\n", data):
        size = int(match[1], 16)
        found += data[match.end() : match.end() + size]
        data = data[match.end() + size + 2 :]
    return found


def test_an_event_can_be_read_while_the_worker_waits(server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def main() -> bytes:
        async with client_of(server) as client:
            await client.send(request(target=f"/events?gate={gate}", accept_encoding="gzip"))
            assert split(await client.until(b"\r\n\r\n"))[1]["content-encoding"] == ["gzip"]
            body = b""
            while zlib.decompressobj(31).decompress(chunks_of(body)) != b"data: first\n\n":
                body += await client.exactly(1)
            gate.touch()
            body += await client.rest()
        return zlib.decompress(chunks_of(body), 31)

    assert run(main()) == b"data: first\n\ndata: second\n\n"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_client_that_disconnects_in_mid_stream_frees_the_worker(server: Server, coding: str) -> None:
    """More clients than workers disconnect, then another client is served."""

    async def main() -> None:
        for _ in range(4):
            async with client_of(server) as client:
                await client.send(request(target="/endless", accept_encoding=coding))
                assert b"content-encoding" in await client.until(b"\r\n\r\n")
                await client.exactly(50)

    run(main())
    assert curl(server, "/page", coding)[1] == LINE * 1000


def test_curl_decodes_the_compressed_copy_of_a_static_file(tmp_path: Path) -> None:
    import brotli

    page = LINE * 1000
    copy = brotli.compress(page)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "page.html").write_bytes(page)
    (tmp_path / "public" / "page.html.br").write_bytes(copy)
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "middleware": ["static", "gzip"],
            "static": {"dir": "public", "precompressed": True},
        },
    }
    with Server(tmp_path, config) as server:
        headers, body, size = curl(server, "/page.html", "gzip, br")
        assert (headers["content-encoding"], body, size) == ("br", page, len(copy))
        headers, body, size = curl(server, "/page.html", "zstd")
        assert (headers["content-encoding"], body) == ("zstd", page)


@pytest.mark.parametrize(
    ("gzip", "fault"),
    [
        ({"encodings": ["deflate"]}, "http.gzip.encodings"),
        ({"level": 11}, "http.gzip.level"),
        ({"min_length": -1}, "http.gzip.min_length"),
        ({"min_len": 1}, "min_length"),
    ],
)
def test_an_invalid_option_is_reported_with_its_key(tmp_path: Path, gzip: dict[str, object], fault: str) -> None:
    config = {"version": "3", "server": {"command": "php"}, "http": {"address": ":1", "gzip": gzip}}
    (tmp_path / ".rr.yaml").write_text(json.dumps(config))
    done = rr("config", "check", cwd=tmp_path)
    assert (done.code, fault in done.stdout + done.stderr) == (1, True), done
