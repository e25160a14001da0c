"""CGI variables converted to the worker's request."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.asgi import PEER
from pyroadrunner.plugins.http.protocols.fastcgi.request import scope_of
from support.asgi import Exchange, ScriptedPool, worker_app

# What nginx sends with its stock fastcgi_params.
NGINX = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/a%20b?x=1",
    "QUERY_STRING": "x=1",
    "SCRIPT_NAME": "/a b",
    "CONTENT_TYPE": "",
    "CONTENT_LENGTH": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_SCHEME": "http",
    "HTTPS": "",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "5555",
    "SERVER_ADDR": "192.0.2.1",
    "SERVER_PORT": "8080",
    "SERVER_NAME": "_",
    "HTTP_HOST": "ex.com:81",
    "HTTP_X_FOO": "bar",
}


def context(**changes: str) -> dict[str, Any]:
    variables = {name.encode(): value.encode() for name, value in {**NGINX, **changes}.items()}
    pool = ScriptedPool()
    Exchange(scope_of(variables)).run(worker_app(pool))
    return pool.context


def test_a_request_of_nginx() -> None:
    assert context() == {
        "remoteAddr": "192.0.2.7",
        "protocol": "HTTP/1.1",
        "method": "GET",
        "uri": "http://ex.com:81/a%20b?x=1",
        "headers": {"X-Foo": ["bar"]},
        "cookies": {},
        "rawQuery": "x=1",
        "parsed": False,
        "uploads": None,
        "attributes": {},
    }


@pytest.mark.parametrize(
    ("https", "scheme"), [("on", "https"), ("ON", "https"), ("1", "https"), ("off", "http"), ("", "http")]
)
def test_the_scheme_is_taken_from_the_web_server(https: str, scheme: str) -> None:
    assert context(HTTPS=https)["uri"] == f"{scheme}://ex.com:81/a%20b?x=1"


@pytest.mark.parametrize(
    ("said", "told"), [("HTTP/1.0", "HTTP/1.0"), ("HTTP/2.0", "HTTP/2.0"), ("HTTP/3.0", "HTTP/3.0"), ("x", "HTTP/1.1")]
)
def test_the_protocol_is_that_of_the_client(said: str, told: str) -> None:
    assert context(SERVER_PROTOCOL=said)["protocol"] == told


def test_headers_of_the_body_have_no_prefix_and_win() -> None:
    told = context(CONTENT_TYPE="text/plain", CONTENT_LENGTH="3", HTTP_CONTENT_TYPE="x/y", HTTP_CONTENT_LENGTH="9")
    assert told["headers"] == {"X-Foo": ["bar"], "Content-Type": ["text/plain"], "Content-Length": ["3"]}


def test_without_a_request_uri_the_target_is_made_from_cgi_variables() -> None:
    assert context(REQUEST_URI="", PATH_INFO="/more")["uri"] == "http://ex.com:81/a%20b/more?x=1"


def test_the_client_of_a_web_server_is_never_treated_as_disconnected() -> None:
    assert scope_of({b"REMOTE_ADDR": b"192.0.2.7", b"REMOTE_PORT": b"5"})[PEER] is None


def test_a_request_needs_almost_no_variables() -> None:
    variables = {b"SERVER_NAME": b"ex.com", b"SERVER_PORT": b"81"}
    pool = ScriptedPool()
    Exchange(scope_of(variables)).run(worker_app(pool))
    told = pool.context
    assert (told["method"], told["uri"], told["remoteAddr"]) == ("GET", "http://ex.com:81/", "127.0.0.1")


def test_bytes_that_are_not_text_are_accepted() -> None:
    scope = scope_of({name.encode(): b"\xff\0\n" for name in NGINX})
    Exchange(scope).run(worker_app(ScriptedPool()))
