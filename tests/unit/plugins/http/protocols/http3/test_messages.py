"""Header lists converted to scopes and back."""

from __future__ import annotations

import pytest

from pyroadrunner.asgi import PEER
from pyroadrunner.plugins.http.protocols.http3.messages import head, scope_of
from support.asgi import Exchange, ScriptedPool, worker_app

REQUEST = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"ex.com:81"),
    (b":path", b"/a%20b?x=1"),
    (b"x-foo", b"bar"),
    (b"cookie", b"a=1"),
    (b"cookie", b"b=2"),
]


def test_a_request_as_the_worker_sees_it() -> None:
    scope = scope_of(REQUEST, ("192.0.2.7", 5), ("192.0.2.1", 443))
    assert scope is not None
    pool = ScriptedPool()
    Exchange(scope).run(worker_app(pool))
    told = pool.context
    assert (told["uri"], told["protocol"], told["remoteAddr"]) == (
        "https://ex.com:81/a%20b?x=1",
        "HTTP/3.0",
        "192.0.2.7",
    )
    assert told["headers"] == {"X-Foo": ["bar"], "Cookie": ["a=1; b=2"]}
    assert told["cookies"] == {"a": "1", "b": "2"}


def test_a_client_without_tcp_is_never_treated_as_disconnected() -> None:
    scope = scope_of(REQUEST, ("192.0.2.7", 5), ("192.0.2.1", 443))
    assert scope is not None
    assert scope[PEER] is None


def test_the_authority_replaces_the_host() -> None:
    scope = scope_of([*REQUEST, (b"host", b"evil.org")], ("", 0), ("", 0))
    assert scope is not None
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"ex.com:81"]


@pytest.mark.parametrize("missing", [b":method", b":path"])
def test_an_unsupported_request_has_no_scope(missing: bytes) -> None:
    assert scope_of([pair for pair in REQUEST if pair[0] != missing], ("", 0), ("", 0)) is None
    assert scope_of([(b":method", b"CONNECT"), (b":authority", b"ex.com:443")], ("", 0), ("", 0)) is None


def test_headers_of_the_connection_are_left_out_of_a_response() -> None:
    headers = [(b"Content-Type", b"text/plain"), (b"Connection", b"close"), (b"Transfer-Encoding", b"chunked")]
    assert head({"status": 201, "headers": headers}) == [(b":status", b"201"), (b"content-type", b"text/plain")]
