"""What a worker says about the connection never breaks a response over TLS or HTTP/2; only ``close`` is passed on."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from support.http2 import Http2
from support.php import require_php
from support.server import Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"

FIELDS = [
    ("Connection", "keep-alive"),
    ("Connection", "Keep-Alive"),
    ("CONNECTION", "X-Own"),
    ("connection", "Upgrade"),
    ("Connection", ","),
    ("Keep-Alive", "timeout=5, max=100"),
    ("KEEP-ALIVE", "timeout=5"),
    ("Upgrade", "h2c"),
    ("upgrade", "not a token!"),
    ("Proxy-Connection", "keep-alive"),
]
CLOSING = [("Connection", "close"), ("connection", "Close"), ("Connection", "keep-alive, CLOSE")]


class Ports:
    def __init__(self, server: Server, tls: int, authority: Authority) -> None:
        self.plain = server.address
        self.tls = ("127.0.0.1", tls)
        self.authority = authority


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    folder = tmp_path_factory.mktemp("served")
    authority = Authority(folder)
    identity = authority.server()
    port = free_port()
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "http2": {"h2c": True},
            "ssl": {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)},
        },
    }
    with Server(folder, config) as server:
        yield Ports(server, port, authority)


def path(name: str, value: str) -> str:
    return f"/connection?name={quote(name)}&value={quote(value)}"


@pytest.mark.parametrize(("name", "value"), FIELDS + CLOSING)
@pytest.mark.parametrize("tls", [False, True])
def test_over_http2(ports: Ports, tls: bool, name: str, value: str) -> None:
    context = ports.authority.context(alpn="h2") if tls else None
    with Http2(ports.tls if tls else ports.plain, context) as client:
        client.request(1, path(name, value))
        assert client.status(1) == 200


@pytest.mark.parametrize(("name", "value"), FIELDS + CLOSING)
def test_over_http1_with_tls(ports: Ports, name: str, value: str) -> None:
    client = http.client.HTTPSConnection("localhost", ports.tls[1], timeout=20, context=ports.authority.context())
    client.request("GET", path(name, value))
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (200, b"ok")
    assert answer.headers.get_all("connection") in (None, ["close"])
    assert answer.will_close == ((name, value) in CLOSING)
    assert answer.headers.get("keep-alive") is None
    assert answer.headers.get("upgrade") is None
    client.close()
