"""Redirects of plain HTTP requests."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.http.middleware.redirect import Redirect
from support.asgi import Exchange, http_scope


def location(port: int, target: str = "/", host: str = "ex.com") -> str:
    scope = http_scope("POST", target, headers=())
    scope["headers"] = [(b"host", host.encode())]
    exchange = Exchange(scope).run(Redirect(port))
    assert (exchange.status, exchange.body) == (308, b"")
    return dict(exchange.headers)["location"]


@pytest.mark.parametrize(
    ("port", "target", "host", "expected"),
    [
        (443, "/", "ex.com", "https://ex.com/"),
        (443, "/a%20b/?x=1&y", "ex.com:80", "https://ex.com/a%20b/?x=1&y"),
        (8443, "/", "ex.com:8080", "https://ex.com:8443/"),
        (8443, "/", "[::1]:8080", "https://[::1]:8443/"),
        (443, "//evil.org/..", "ex.com", "https://ex.com//evil.org/.."),
    ],
)
def test_a_request_is_redirected_to_the_tls_port(port: int, target: str, host: str, expected: str) -> None:
    assert location(port, target, host) == expected


def test_a_get_has_a_page_and_hsts() -> None:
    exchange = Exchange(http_scope("GET", "/?a=<b>&c")).run(Redirect(443))
    headers = dict(exchange.headers)
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains; preload"
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert int(headers["content-length"]) == len(exchange.body)
    assert exchange.body == b'<a href="https://ex.com/?a=&lt;b&gt;&amp;c">Permanent Redirect</a>.\n\n'


@pytest.mark.parametrize("host", ["", "a b", "ex.com@evil.org", "ex.com/x", "a:b:c", "ex.com:80x"])
def test_a_malformed_host_is_not_redirected(host: str) -> None:
    scope = http_scope()
    scope["headers"] = [(b"host", host.encode())]
    assert Exchange(scope).run(Redirect(443)).status == 400
