"""The real ``rr serve`` behind a real nginx with ``fastcgi_pass``."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.php import require_php
from support.proxies import Proxy, nginx
from support.server import Server, free_port, rr

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"
ZEROS = Path(__file__).parent.parent / "support" / "workers" / "http.php"
MB = 1 << 20

# The relevant part of the stock fastcgi_params, and persistent connections.
LOCATION = """
    location / {
        fastcgi_pass rr;
        fastcgi_keep_conn on;
        fastcgi_request_buffering off;
        fastcgi_param QUERY_STRING $query_string;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param SCRIPT_NAME $fastcgi_script_name;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param SERVER_PROTOCOL $server_protocol;
        fastcgi_param HTTPS $https if_not_empty;
        fastcgi_param REMOTE_ADDR $remote_addr;
        fastcgi_param REMOTE_PORT $remote_port;
        fastcgi_param SERVER_ADDR $server_addr;
        fastcgi_param SERVER_PORT $server_port;
        fastcgi_param SERVER_NAME $server_name;
    }
"""


def serving(folder: Path, address: str, worker: Path = WORKER) -> Server:
    return Server(
        folder,
        {
            "server": {"command": [require_php(), str(worker)]},
            "http": {"address": "", "pool": {"num_workers": 1}, "max_request_size": 8, "fcgi": {"address": address}},
        },
    )


@dataclass(frozen=True)
class Front:
    """nginx and its port."""

    nginx: Proxy
    port: int


@contextmanager
def in_front(folder: Path, address: str) -> Iterator[Front]:
    target = address.removeprefix("tcp://").replace("unix://", "unix:")
    port = free_port()
    upstream = f"upstream rr {{ server {target}; keepalive 4; }}"
    with nginx(folder, f"{upstream} server {{ listen 127.0.0.1:{port}; {LOCATION} }}") as proxy:
        yield Front(proxy, port)


def ask(front: Front, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    try:
        connection.request(method, target, body, {"Content-Type": "text/plain", "X-Foo": "bar"} if body else {})
        with connection.getresponse() as answer:
            return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("form", ["tcp", "plain", "unix"])
def test_requests_pass_through_nginx(tmp_path: Path, form: str) -> None:
    port = free_port()
    address = {
        "tcp": f"tcp://127.0.0.1:{port}",
        "plain": f"127.0.0.1:{port}",
        "unix": f"unix://{tmp_path}/rr.sock",
    }[form]
    with serving(tmp_path, address), in_front(tmp_path, address) as front:
        status, body = ask(front, "POST", "/a%20b/../c?x=1", b"hello")
        told = json.loads(body)
        assert status == 200
        assert told["uri"] == f"http://127.0.0.1:{front.port}/a%20b/../c?x=1"
        assert (told["method"], told["protocol"], told["body"]) == ("POST", "HTTP/1.1", "hello")
        assert told["remote"] == "127.0.0.1"
        assert told["headers"]["X-Foo"] == ["bar"]
        with ThreadPoolExecutor(8) as threads:
            answers = threads.map(lambda number: ask(front, "GET", f"/{number}"), range(200))
        for number, (status, body) in enumerate(answers):
            assert (status, json.loads(body)["uri"]) == (200, f"http://127.0.0.1:{front.port}/{number}")
        assert ask(front, "HEAD", "/") == (200, b"")
        assert " [error] " not in front.nginx.log


def test_large_bodies_limits_and_streams(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with serving(tmp_path, address, ZEROS), in_front(tmp_path, address) as front:
        assert ask(front, "POST", "/size", bytes(4 * MB)) == (200, b"%d" % (4 * MB))
        status, body = ask(front, "POST", "/size", bytes(9 * MB))
        assert (status, body) == (413, b"serve_http: http: request body too large\n")
        assert ask(front, "GET", f"/zeros?size={8 * MB}") == (200, bytes(8 * MB))


def test_a_client_that_disconnects_frees_the_worker(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with serving(tmp_path, address, ZEROS), in_front(tmp_path, address) as front:
        connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
        connection.request("GET", f"/zeros?size={4000 * MB}")
        with connection.getresponse() as answer:
            answer.read(MB)
        connection.close()
        assert ask(front, "GET", "/pid")[0] == 200


def test_a_worker_that_crashes_during_a_response_is_reported(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with serving(tmp_path, address, ZEROS), in_front(tmp_path, address) as front:
        with pytest.raises(http.client.IncompleteRead):
            ask(front, "GET", "/breaking")
        assert ask(front, "GET", "/pid")[0] == 200


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serving(tmp_path, f"tcp://127.0.0.1:{port}")
        done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert f"http.fcgi.address: cannot listen on 127.0.0.1:{port}: the address is in use" in done.stderr
