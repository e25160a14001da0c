"""``fileserver`` in the real ``rr serve``: responses to curl, large files, disconnects, changing files."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.http import Client, request, split
from support.pools import run
from support.server import Server, free_port, rr

CSS = b"body { color: red }\n" * 500
MB = 1 << 20


def serving(folder: Path, **serve: Any) -> Server:
    section = {
        "address": f"127.0.0.1:{free_port()}",
        "calculate_etag": True,
        "serve": [{"prefix": "/static", "root": "public", **serve}],
    }
    return Server(folder, {"fileserver": section})


def address(server: Server) -> tuple[str, int]:
    host, _, port = server.config["fileserver"]["address"].rpartition(":")
    return host, int(port)


def url(server: Server, path: str) -> str:
    return f"http://{server.config['fileserver']['address']}{path}"


def curl(*args: str) -> bytes:
    return subprocess.run(["curl", "-sS", *args], capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def public(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.css").write_bytes(CSS)
    (folder / "empty.txt").write_bytes(b"")
    (folder / "sub" / "index.html").write_bytes(b"<h1>sub</h1>")
    return folder


@pytest.mark.parametrize("flags", [[], ["--http1.0"]], ids=["http/1.1", "http/1.0"])
def test_files_whole_in_parts_and_compressed(tmp_path: Path, public: Path, flags: list[str]) -> None:
    with serving(tmp_path, compress=True, bytes_range=True, max_age=10) as server:
        css = url(server, "/static/a.css")
        assert curl(*flags, css) == CSS
        assert curl(*flags, "-r", "5-9", css) == CSS[5:10]
        parts = curl(*flags, "-r", "0-3,-4", css)
        assert CSS[:4] in parts
        assert b"content-range: bytes 9996-9999/10000" in parts.lower()
        for coding in ("gzip", "br", "zstd"):
            packed = curl(*flags, "-H", f"Accept-Encoding: {coding}", css)
            assert len(packed) < 1000
            assert curl(*flags, "--compressed", "-H", f"Accept-Encoding: {coding}", css) == CSS
        assert curl(*flags, url(server, "/static/empty.txt")) == b""
        folder = url(server, "/static/sub")
        assert curl(*flags, "-o", os.devnull, "-w", "%{redirect_url}", folder) == f"{folder}/".encode()
        assert curl(*flags, f"{folder}/") == b"<h1>sub</h1>"
        head = curl(*flags, "-I", css).decode().lower()
        assert "content-length: 10000" in head
        assert "cache-control: public, max-age=10" in head
        etag = next(line for line in head.splitlines() if line.startswith("etag: ")).partition(" ")[2]
        assert curl(*flags, "-o", os.devnull, "-w", "%{http_code}", "-H", f"If-None-Match: {etag}", css) == b"304"
        assert curl(*flags, url(server, "/static/none")) == b"Cannot GET /static/none"
        assert curl(*flags, url(server, "/a.css")) == b"Cannot GET /a.css"
        assert curl(*flags, "-d", "x=1", "-o", os.devnull, "-w", "%{http_code}", css) == b"405"
    assert sorted(path.name for path in public.iterdir()) == ["a.css", "empty.txt", "sub"]  # nothing was written there


def test_nothing_outside_of_the_folder_is_sent(tmp_path: Path, public: Path) -> None:
    (tmp_path / "secret").write_bytes(b"the secret")
    os.mkfifo(public / "pipe")
    with serving(tmp_path) as server:
        for climb in ("../secret", "%2e%2e/secret", "..%2fsecret", "sub/..%2f..%2fsecret", "/../secret", "pipe"):
            got = curl("--path-as-is", "-w", "%{http_code}", url(server, f"/static/{climb}"))
            assert b"the secret" not in got
            assert got.endswith(b"404")


def test_a_large_file_arrives_complete_and_can_be_resumed(tmp_path: Path, public: Path) -> None:
    large = public / "large.bin"
    with open(large, "wb") as file:
        for _ in range(64):
            file.write(os.urandom(MB))
    digest = hashlib.sha256(large.read_bytes()).digest()
    with serving(tmp_path, bytes_range=True) as server:
        place = url(server, "/static/large.bin")
        assert hashlib.sha256(curl(place)).digest() == digest
        curl("-r", f"0-{10 * MB}", "-o", str(tmp_path / "got"), place)
        curl("-C", "-", "-o", str(tmp_path / "got"), place)  # resumes the download
        assert hashlib.sha256((tmp_path / "got").read_bytes()).digest() == digest


def test_a_replaced_file_is_sent_after_the_cache_time_at_the_latest(tmp_path: Path, public: Path) -> None:
    def replace(content: bytes) -> None:
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", public / "a.css")

    with serving(tmp_path, cache_duration=1000) as server:
        assert curl(url(server, "/static/a.css")) == CSS
        replace(b"new")
        assert curl(url(server, "/static/a.css")) == CSS
    with serving(tmp_path, cache_duration=-1) as server:
        assert curl(url(server, "/static/a.css")) == b"new"
        replace(b"newer")
        assert curl(url(server, "/static/a.css")) == b"newer"


def test_slow_or_disconnected_clients_block_no_request_and_leave_no_file_open(tmp_path: Path, public: Path) -> None:
    with open(public / "large.bin", "wb") as file:
        file.truncate(64 * MB)

    async def main(server: Server) -> None:
        clients = []
        for _ in range(50):
            client = Client(*await asyncio.open_connection(*address(server)))
            clients.append(client)
            await client.send(request(target="/static/large.bin"))
            await client.until(b"\r\n\r\n")
        one = Client(*await asyncio.open_connection(*address(server)))
        await one.send(request(target="/static/a.css"))
        assert split(await one.rest())[2] == CSS
        one.close()
        for client in clients:
            client.abort()
        async with asyncio.timeout(20):
            while any("large.bin" in name for name in open_files(server.pid)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    with serving(tmp_path, cache_duration=-1) as server:
        run(main(server))


def open_files(pid: int) -> list[str]:
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return names


def test_a_folder_created_later_is_served(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert "the folder does not exist" in server.stderr
        assert curl(url(server, "/static/a.css")) == b"Cannot GET /static/a.css"
        (tmp_path / "public").mkdir()
        (tmp_path / "public" / "a.css").write_bytes(CSS)
        assert curl(url(server, "/static/a.css")) == CSS


def test_missing_folders_are_reported_at_start(tmp_path: Path) -> None:
    server = Server(tmp_path, {"fileserver": {"address": "127.0.0.1:0"}}).start()
    assert server.wait() == 1
    assert "add a prefix and its folder to fileserver.serve" in server.stderr
    server.kill()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Server(tmp_path, {"fileserver": {"address": where, "serve": [{"prefix": "/", "root": "."}]}}).start()
        assert server.wait() == 1
        assert f"fileserver.address: cannot listen on {where}: the address is in use" in server.stderr
        server.kill()


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        ({"root": "."}, "prefix"),
        ({"prefix": "", "root": "."}, "empty prefix"),
        ({"prefix": "/", "max_age": "1h"}, "max_age"),
        ({"prefix": "/", "cache_duration": -2}, "cache_duration"),
    ],
)
def test_config_errors_are_found(tmp_path: Path, serve: dict[str, Any], fault: str) -> None:
    import yaml

    (tmp_path / ".rr.yaml").write_text(yaml.safe_dump({"version": "3", "fileserver": {"serve": [serve]}}))
    done = rr("config", "check", cwd=tmp_path)
    assert (done.code, fault in done.stderr + done.stdout) == (1, True), done
