"""The configs of the manual's deployment pages, run: nginx and Caddy in front of the real ``rr serve``."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.http import Client, request, split
from support.load import Load
from support.php import require_php
from support.pools import run
from support.proxies import block, caddy, nginx
from support.server import READY, Server, free_port, rr

ROOT = Path(__file__).parent.parent.parent
WORKER = ROOT / "tests" / "support" / "workers" / "http.php"
NGINX = ROOT / "docs" / "deploy" / "nginx.md"
CADDY = ROOT / "docs" / "deploy" / "caddy.md"


class Site:
    """A proxy with ``rr`` behind it."""

    def __init__(self, folder: Path, port: int, server: Server) -> None:
        self.folder = folder
        self.port = port
        self.server = server

    def ask(self, raw: bytes) -> tuple[int, dict[str, list[str]], bytes]:
        async def main() -> bytes:
            client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
            await client.send(raw)
            answer = await client.rest()
            client.close()
            return answer

        return split(run(main()))


@contextmanager
def deployed(folder: Path, proxy: str) -> Iterator[Site]:
    """Everything as on the page, except paths, ports and the worker."""
    port = free_port()
    public = folder / "public"
    public.mkdir()
    (public / "app.css").write_text("body {}")
    (public / "index.php").write_text("<?php secret();")
    page, sock = (NGINX if proxy == "nginx" else CADDY), str(folder / "http.sock")
    paths = {"/run/rr/http.sock": sock, "/run/rr/rpc.sock": str(folder / "rpc.sock")}
    config = block(page, "yaml", {**paths, "php worker.php": f"{require_php()} {WORKER}"})
    front = {"/run/rr/http.sock": sock, "/srv/app/public": str(public)}
    with Server(folder, f"{config}endure: {{retirement: 1s}}\n") as server:
        if proxy == "nginx":
            with nginx(folder, block(page, "nginx", {**front, "listen 80;": f"listen 127.0.0.1:{port};"})):
                yield Site(folder, port, server)
        else:
            with caddy(folder, block(page, "caddyfile", {**front, "example.com {": f"http://:{port} {{"})):
                yield Site(folder, port, server)


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of a proxy; a restart does not change it."""
    with deployed(tmp_path_factory.mktemp(request.param), request.param) as site:
        yield site


def test_the_proxy_serves_files_and_the_workers_all_else(site: Site) -> None:
    status, _, body = site.ask(request("GET", "/app.css"))
    assert (status, body) == (200, b"body {}")
    assert b"secret" not in site.ask(request("GET", "/index.php"))[2]
    forged = {"x_forwarded_for": "6.6.6.6", "x_real_ip": "6.6.6.6"}
    told = json.loads(site.ask(request("GET", "/who?x=1", **forged))[2])
    assert told == {
        "address": "127.0.0.1",
        "uri": "http://ex.com/who?x=1",
        "protocol": "HTTP/1.1",
        "proto": "http",
        "method": "GET",
    }


def test_a_large_body_and_a_form_arrive(site: Site) -> None:
    size = 20 << 20
    answer = site.ask(request("POST", "/size", b"x" * size, content_type="application/octet-stream"))
    assert answer[2] == str(size).encode()
    form = request("POST", "/", b"a[b]=1", content_type="application/x-www-form-urlencoded")
    assert json.loads(site.ask(form)[2])["form"] == {"a": {"b": "1"}}


def test_events_are_not_held_back(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def main() -> None:
        client = Client(*await asyncio.open_connection("127.0.0.1", site.port))
        await client.send(request("GET", f"/events?for={gate}"))
        await client.until(b"data: first")
        gate.touch()
        await client.until(b"data: second")
        client.close()

    run(main())


def test_a_reset_and_a_restart_behind_the_proxy_fail_no_request(site: Site) -> None:
    with Load(("127.0.0.1", site.port), "/pid") as load:
        assert rr("reset", cwd=site.folder).code == 0
        load.wait_for_more(50)
        site.server.send(signal.SIGUSR2)
        site.server.wait_for(READY, times=2)
        load.wait_for_more(50)
    assert load.failures == []
    assert len(load.bodies) > 4  # four workers at a time
