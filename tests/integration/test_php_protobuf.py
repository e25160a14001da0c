"""The PHP library with ``http.codec: protobuf``, the codec that RoadRunner always uses."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.php import require_php
from support.server import Server

APP = Path(__file__).parents[2] / "php" / "examples" / "app.php"
MULTIPART = b"\r\n".join(
    [
        b"--b",
        b'Content-Disposition: form-data; name="file"; filename="a.txt"',
        b"Content-Type: text/plain",
        b"",
        b"abc",
        b"--b--",
        b"",
    ]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "server": {"command": [require_php(), str(APP)]},
        "http": {"codec": "protobuf", "pool": {"num_workers": 1}},
    }
    with Server(tmp_path_factory.mktemp("protobuf"), config) as running:
        yield running


def ask(server: Server, path: str, body: bytes | None = None, kind: str = "") -> bytes:
    headers = {"User-Agent": "test"} | ({"Content-Type": kind} if kind else {})
    with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=20) as response:
        answer: bytes = response.read()
    return answer


def test_the_example_application_answers_as_in_json(server: Server) -> None:
    assert ask(server, "/") == b"Hello, world!\n"
    told: Any = json.loads(ask(server, "/json?a[]=1&a[]=%C3%A4"))
    assert told == {"method": "GET", "query": {"a": ["1", "ä"]}, "agent": "test"}
    form = ask(server, "/form", b"a[b]=1&c=%C3%A4", "application/x-www-form-urlencoded")
    assert json.loads(form) == {"a": {"b": "1"}, "c": "ä"}
    assert ask(server, "/form", b"", "application/x-www-form-urlencoded") == b"[]"
    upload = json.loads(ask(server, "/upload", MULTIPART, "multipart/form-data; boundary=b"))
    assert upload == {"name": "a.txt", "size": 3, "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d"}
    assert ask(server, "/stream?from=3") == b"3\n2\n1\nlift-off\n"
    with socket.create_connection(server.address, 20) as client:  # urllib takes a 103 for the response
        client.sendall(b"GET /hints HTTP/1.1\r\nHost: ex.com\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in answer
    assert b"Hello after the hints!\n" in answer


def test_an_error_is_a_500_and_the_worker_keeps_running(server: Server) -> None:
    before = server.workers()
    with pytest.raises(urllib.error.HTTPError, match="500"):
        ask(server, "/error")
    assert ask(server, "/") == b"Hello, world!\n"
    assert server.workers() == before
