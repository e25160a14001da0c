"""`rr serve --https`: which address it uses, and where it refuses to."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.cli.serve.https import HttpsRefused, https_address, is_loopback


@pytest.mark.parametrize(
    ("http", "address"),
    [
        ({"address": "127.0.0.1:8080"}, "localhost:8443"),
        ({"address": "127.0.0.1:80"}, "localhost:443"),
        ({"address": "tcp://[::1]:8080"}, "localhost:8443"),
        ({"address": "unix:///run/rr.sock"}, "localhost:8443"),
        ({"address": "127.0.0.1:8080", "ssl": {"address": "127.0.0.1:9443"}}, "127.0.0.1:9443"),
        ({}, "localhost:8443"),
    ],
)
def test_the_address(http: dict[str, Any], address: str) -> None:
    assert https_address(http) == address


@pytest.mark.parametrize(
    ("http", "reason"),
    [
        (None, "no section http"),
        ({"address": ":8080"}, "http.address = :8080 is open to a network"),
        ({"address": "0.0.0.0:8080"}, "127.0.0.1:8080"),
        ({"address": "[::]:8080"}, "open to a network"),
        ({"address": "192.168.1.2:8080"}, "open to a network"),
        ({"address": "example.org:8080"}, "open to a network"),
        ({"address": "127.0.0.1:1", "ssl": {"address": ":443"}}, "http.ssl.address = :443 is open"),
        ({"address": "127.0.0.1:1", "ssl": {"cert": "a", "key": "b"}}, "has a certificate"),
        ({"address": "127.0.0.1:1", "ssl": {"acme": {}}}, "has a certificate"),
    ],
)
def test_it_is_refused_on_a_network_and_beside_a_real_certificate(http: Any, reason: str) -> None:
    with pytest.raises(HttpsRefused, match=reason.replace("[", r"\[")):
        https_address(http)


@pytest.mark.parametrize("text", ["127.8.9.1:1", "localhost:1", "[::1]:1", "unix:///x", "nonsense"])
def test_loopback(text: str) -> None:
    assert is_loopback(text)
