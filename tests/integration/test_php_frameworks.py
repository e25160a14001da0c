"""Symfony and PSR-7 in real workers, with the code of the examples."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.http import Client, request, split
from support.php import require_php, require_php_package
from support.pools import run
from support.server import Server, free_port

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FORM = "multipart/form-data; boundary=X"
FILE = (
    b'--X\r\nContent-Disposition: form-data; name="a[b]"\r\n\r\n1\r\n'
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nhello\r\n--X--\r\n'
)


class Example:
    """A served example."""

    def __init__(self, name: str) -> None:
        require_php()
        self.port = free_port()
        flags = ["-o", f"http.address=127.0.0.1:{self.port}", "-o", f"rpc.listen=tcp://127.0.0.1:{free_port()}"]
        quiet = ["-o", "logs.mode=production", "-o", "http.pool.num_workers=1"]
        self.server = Server(EXAMPLES / name, None, command=[*flags, *quiet, "serve"])

    def ask(self, *args: Any, **headers: str) -> tuple[int, dict[str, list[str]], bytes]:
        async def main() -> bytes:
            client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
            await client.send(request(*args, **headers))
            answer = await client.rest()
            client.close()
            return answer

        return split(run(main()))

    def json(self, *args: Any, **headers: str) -> Any:
        status, _, body = self.ask(*args, **headers)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="module")
def symfony() -> Iterator[Example]:
    require_php_package("Symfony/Bundle/FrameworkBundle/autoload.php", "php-symfony-framework-bundle")
    example = Example("symfony")
    with example.server:
        yield example


@pytest.fixture(scope="module")
def psr7() -> Iterator[Example]:
    require_php_package("Nyholm/Psr7/autoload.php", "php-nyholm-psr7")
    example = Example("psr7")
    with example.server:
        yield example


# -- Symfony -----------------------------------------------------------------------------------------------------------


def test_symfony_sees_the_request(symfony: Example) -> None:
    told = symfony.json("GET", "/hello/W%C3%B6rld?a[]=1", cookie="c=x%20y", authorization="Basic Ym9iOng=")
    assert told == {
        "name": "Wörld",
        "uri": "http://ex.com/hello/W%C3%B6rld?a%5B0%5D=1",
        "query": {"a": ["1"]},
        "client": "127.0.0.1",
        "user": "bob",
        "cookie": "x y",
        "content": "",
    }
    assert symfony.json("POST", "/hello/x", b'{"raw": 1}', content_type="application/json")["content"] == '{"raw": 1}'


def test_cookies_of_symfony_reach_the_client(symfony: Example) -> None:
    _, headers, _ = symfony.ask("GET", "/hello/x")
    assert headers["set-cookie"] == ["seen=x; path=/; httponly; samesite=lax"]


def test_symfony_moves_an_upload(symfony: Example) -> None:
    told = symfony.json("POST", "/form", FILE, content_type=FORM)
    assert told == {"fields": {"a": {"b": "1"}}, "file": "hello", "name": "f.txt"}


def test_a_streamed_response_arrives_in_chunks_and_a_file_complete(symfony: Example) -> None:
    status, headers, body = symfony.ask("GET", "/stream")
    assert (status, headers["transfer-encoding"]) == (200, ["chunked"])
    assert body == b"2\r\n3\n\r\n2\r\n2\n\r\n2\r\n1\n\r\n0\r\n\r\n"
    assert "3" not in [line for line in symfony.server.stderr.splitlines() if "{" not in line]
    kernel = (EXAMPLES / "symfony" / "Kernel.php").read_bytes()
    _, headers, body = symfony.ask("GET", "/file")
    assert headers["content-length"] == [str(len(kernel))]
    assert hashlib.sha1(body).digest() == hashlib.sha1(kernel).digest()


def test_symfony_handles_its_errors_and_the_worker_keeps_running(symfony: Example) -> None:
    assert symfony.ask("GET", "/nope")[0] == 404
    assert symfony.ask("GET", "/form")[0] == 405
    assert "worker crashed" not in symfony.server.stderr


# -- PSR-7 -------------------------------------------------------------------------------------------------------------


def test_psr7_has_all_of_the_request(psr7: Example) -> None:
    told = psr7.json("PUT", "/a%20b?x=1", b"raw", content_type="text/plain")
    assert told == {
        "method": "PUT",
        "uri": "http://ex.com/a%20b?x=1",
        "protocol": "1.1",
        "host": "ex.com",
        "query": {"x": "1"},
        "parsed": None,
        "body": "raw",
        "files": [],
        "address": "127.0.0.1",
    }
    told = psr7.json("POST", "/", FILE, content_type=FORM)
    assert (told["parsed"], told["files"], told["body"]) == ({"a": {"b": "1"}}, {"file": ["f.txt", "hello"]}, "")


def test_a_large_psr7_body_is_streamed(psr7: Example) -> None:
    _, headers, body = psr7.ask("GET", "/large")
    assert headers["transfer-encoding"] == ["chunked"]
    assert body.count(b"0123456789abcdef\n") >= 99_000  # some are split across two chunks
