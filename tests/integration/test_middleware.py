"""The built-in middleware in the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.http import Client, request, split
from support.php import require_php
from support.pools import run
from support.server import Server, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "layers.php"


def serving(folder: Path, **http: Any) -> Server:
    return Server(
        folder,
        {
            "server": {"command": [require_php(), str(WORKER)]},
            "http": {"pool": {"num_workers": 1}, **http},
            "logs": {"mode": "production", "output": "stderr"},
        },
    )


def ask(
    server: Server, target: str = "/", method: str = "GET", **headers: str
) -> tuple[int, dict[str, list[str]], bytes]:
    async def main() -> bytes:
        client = Client(*await asyncio.open_connection(*server.address))
        await client.send(request(method, target, **headers))
        answer = await client.rest()
        client.close()
        return answer

    return split(run(main()))


@pytest.fixture(scope="module")
def headers_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {
        "request": {"X-Injected": "in"},
        "response": {"X-Out": "out"},
        "cors": {
            "allowed_origin": "https://a.test, https://*.b.test",
            "allowed_methods": "GET, POST",
            "allowed_headers": "X-Token",
            "allow_credentials": True,
        },
    }
    with serving(tmp_path_factory.mktemp("headers"), middleware=["headers"], headers=options) as running:
        yield running


def test_headers_are_added_to_requests_and_responses(headers_server: Server) -> None:
    status, headers, body = ask(headers_server, origin="https://x.b.test")
    assert status == 200
    assert json.loads(body)["headers"]["X-Injected"] == ["in"]
    assert headers["x-out"] == ["out"]
    assert headers["access-control-allow-origin"] == ["https://x.b.test"]
    assert headers["access-control-allow-credentials"] == ["true"]
    assert headers["vary"] == ["Origin"]


def test_the_workers_headers_are_kept_beside_those_of_the_config(headers_server: Server) -> None:
    assert ask(headers_server, "/headers?headers[x-out]=worker")[1]["x-out"] == ["out", "worker"]


def test_a_preflight_is_handled_without_a_worker(headers_server: Server) -> None:
    asking = {
        "origin": "https://a.test",
        "access_control_request_method": "POST",
        "access_control_request_headers": "x-token",
    }
    status, headers, body = ask(headers_server, method="OPTIONS", **asking)
    assert (status, body) == (200, b"")
    assert headers["access-control-allow-methods"] == ["POST"]
    assert headers["access-control-allow-headers"] == ["x-token"]
    assert headers["x-out"] == ["out"]
    status, headers, body = ask(headers_server, method="OPTIONS", **{**asking, "origin": "https://c.test"})
    assert (status, body) == (200, b"")
    assert "access-control-allow-origin" not in headers


def test_an_invalid_config_does_not_start(tmp_path: Path) -> None:
    config = {
        "version": "3",
        "server": {"command": "php worker.php"},
        "http": {"address": "127.0.0.1:0", "headers": {"cors": {"allowed_origin_regex": "("}}},
    }
    (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(config))
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert ".rr.yaml:5: http.headers.cors.allowed_origin_regex: is not a valid Python regular expression" in done.stderr


def test_a_trusted_proxy_names_the_client(tmp_path: Path) -> None:
    with serving(tmp_path, middleware=["proxy_ip_parser"], trusted_subnets=["127.0.0.0/8"]) as server:
        assert json.loads(ask(server, x_forwarded_for="203.0.113.7, 10.1.1.1")[2])["remote"] == "203.0.113.7"
        assert json.loads(ask(server, forwarded='for="[2001:db8::7]"')[2])["remote"] == "2001:db8::7"
        assert json.loads(ask(server)[2])["remote"] == "127.0.0.1"
        server.wait_for('"msg":"http log"', times=3)
        assert '"remote_address":"203.0.113.7"' in server.stderr


def test_an_untrusted_peer_is_ignored(tmp_path: Path) -> None:
    with serving(tmp_path, middleware=["proxy_ip_parser"], trusted_subnets=["10.0.0.0/8"]) as server:
        assert json.loads(ask(server, x_forwarded_for="203.0.113.7")[2])["remote"] == "127.0.0.1"


def test_a_proxy_on_a_unix_socket_names_the_client(tmp_path: Path) -> None:
    async def main() -> bytes:
        client = Client(*await asyncio.open_unix_connection(str(tmp_path / "rr.sock")))
        await client.send(request(x_real_ip="203.0.113.7"))
        answer = await client.rest()
        client.close()
        return answer

    address = f"unix://{tmp_path}/rr.sock"
    with serving(tmp_path, address=address, middleware=["proxy_ip_parser"], trusted_subnets=["unix:"]):
        assert json.loads(split(run(main()))[2])["remote"] == "203.0.113.7"


def test_a_request_has_one_id_everywhere_and_is_logged_as_slow(tmp_path: Path) -> None:
    with serving(tmp_path, middleware=["request_id"], slow_request="1ns") as server:
        _, headers, body = ask(server, "/a?b=1", traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        [own] = headers["x-request-id"]
        assert json.loads(body)["headers"]["X-Request-Id"] == [own]
        server.wait_for('"msg":"slow request"')
        ids = {"request_id": own, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
        lines = [json.loads(line) for line in server.stderr.splitlines() if "elapsed" in line]
        assert [line["msg"] for line in lines] == ["http log", "slow request"]
        assert lines[0].items() >= ids.items()
        assert list(lines[0])[-3:] == ["elapsed", "request_id", "trace_id"]
        assert lines[1].items() >= {"level": "warn", "method": "GET", "path": "/a", **ids}.items()
        assert ask(server, x_request_id="abc")[1]["x-request-id"] == ["abc"]
