"""Middleware from PyPI in the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, free_port, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "layers.php"
OWN = """
class Tagged:
    def __init__(self, app, tag):
        self.app, self.tag = app, tag

    async def __call__(self, scope, receive, send):
        if scope.get("query_string") == b"fail":
            raise RuntimeError("told to")
        await self.app({**scope, "pyroadrunner.attributes": {"tag": self.tag}}, receive, send)
"""
CONFIG = """
version: "3"
server: {{command: ["{php}", "{worker}"]}}
http:
  address: 127.0.0.1:{port}
  middleware: [tagged, "asgi_correlation_id:CorrelationIdMiddleware", hosts, packed]
  pool: {{num_workers: 1}}
  custom:
    tagged:
      class: tagged:Tagged
      options: {{tag: mine}}
    hosts:
      class: starlette.middleware.trustedhost.TrustedHostMiddleware
      options: {{allowed_hosts: [ex.com], www_redirect: false}}
    packed:
      class: starlette.middleware.gzip:GZipMiddleware
      options: {{minimum_size: 20}}
rpc: {{listen: "tcp://127.0.0.1:{rpc}"}}
logs: {{mode: production, output: stderr}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("custom")
    (folder / "tagged.py").write_text(OWN)
    config = CONFIG.format(php=require_php(), worker=WORKER, port=free_port(), rpc=free_port())
    with Server(folder, config) as running:
        yield running


def ask(server: Server, raw: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    async def main() -> bytes:
        client = Client(*await asyncio.open_connection(*server.address))
        await client.send(raw)
        answer = await client.rest()
        client.close()
        return answer

    return split(run(main()))


def test_the_worker_and_the_client_get_the_same_request_id(server: Server) -> None:
    status, headers, body = ask(server, request())
    assert status == 200
    [number] = headers["x-request-id"]
    told = json.loads(body)
    assert told["headers"]["X-Request-Id"] == [number]
    assert told["attributes"] == {"tag": "mine"}
    assert ask(server, request())[1]["x-request-id"] != [number]


def test_a_request_for_another_host_is_refused(server: Server) -> None:
    status, _, body = ask(server, b"GET / HTTP/1.1\r\nHost: evil.com\r\nConnection: close\r\n\r\n")
    assert (status, body) == (400, b"Invalid host header")


def test_the_outermost_middleware_compresses_responses(server: Server) -> None:
    status, headers, body = ask(server, request(accept_encoding="gzip"))
    assert (status, headers["content-encoding"]) == (200, ["gzip"])
    assert body.startswith(b"\x1f\x8b")


def test_a_middleware_that_fails_gives_a_500_and_a_log_line(server: Server) -> None:
    assert ask(server, request(target="/?fail"))[0] == 500
    server.wait_for('"error":"RuntimeError: told to"')
    assert ask(server, request())[0] == 200


def test_a_missing_middleware_stops_the_start(tmp_path: Path) -> None:
    config = CONFIG.format(php=require_php(), worker=WORKER, port=0, rpc=0)
    (tmp_path / ".rr.yaml").write_text(config)
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    words = "tagged: tagged:Tagged can't be imported: No module named 'tagged'"
    assert f"http.middleware: {words}" in done.stderr
    assert "Traceback" not in done.stderr
    check = rr("config", "check", cwd=tmp_path)
    assert check.code == 1
    assert f".rr.yaml:6: http.middleware[0]: {words}" in check.stdout
    assert check.stdout.splitlines()[-1].startswith("1 fault")
