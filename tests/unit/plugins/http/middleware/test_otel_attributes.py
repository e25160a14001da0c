"""The trace attributes of a request."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.asgi import PEER
from pyroadrunner.plugins.http.middleware.otel_attributes import request_attributes
from support.asgi import http_scope


def with_host(host: str, **changes: Any) -> dict[str, str | int]:
    headers = [(b"host", host.encode())] if host else []
    return request_attributes(http_scope(headers=(), **changes) | {"headers": headers})


def test_all_known_attributes_are_set() -> None:
    assert request_attributes(http_scope("POST", "/a%20b?x=1", {"user-agent": "curl"})) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/a%20b",
        "network.protocol.version": "1.1",
        "server.address": "ex.com",
        "network.peer.address": "192.0.2.1",
        "network.peer.port": 4321,
        "client.address": "192.0.2.1",
        "user_agent.original": "curl",
    }


def test_an_unknown_method_is_kept_in_a_second_attribute() -> None:
    found = request_attributes(http_scope("PURGE"))
    assert (found["http.request.method"], found["http.request.method_original"]) == ("_OTHER", "PURGE")


@pytest.mark.parametrize(
    ("host", "scheme", "address", "port"),
    [
        ("ex.com", "http", "ex.com", None),
        ("ex.com:80", "http", "ex.com", None),
        ("ex.com:443", "https", "ex.com", None),
        ("ex.com:80", "https", "ex.com", 80),
        ("ex.com:8080", "http", "ex.com", 8080),
        ("[::1]:8080", "http", "::1", 8080),
        ("[::1]", "http", "::1", None),
        ("ex.com:", "http", "ex.com:", None),
        ("ex.com:²", "http", "ex.com:²", None),
        ("", "http", "127.0.0.1", 8080),
    ],
)
def test_the_server_is_the_requested_host(host: str, scheme: str, address: str, port: int | None) -> None:
    found = with_host(host, scheme=scheme)
    assert (found["server.address"], found.get("server.port")) == (address, port)


def test_a_proxy_names_the_client() -> None:
    found = request_attributes(http_scope(headers={"x-forwarded-for": "203.0.113.7, 10.0.0.1"}))
    assert (found["client.address"], found["network.peer.address"]) == ("203.0.113.7", "192.0.2.1")


def test_the_peer_is_the_other_end_of_the_connection() -> None:
    found = request_attributes(http_scope(client=("203.0.113.7", 0), **{PEER: ("10.0.0.1", 5)}))
    assert found["client.address"] == "203.0.113.7"
    assert (found["network.peer.address"], found["network.peer.port"]) == ("10.0.0.1", 5)


@pytest.mark.parametrize("peer", [None, ("", 0)])
def test_a_unix_socket_has_no_addresses(peer: Any) -> None:
    found = request_attributes(http_scope(client=peer, server=("/run/rr.sock", None)))
    assert not found.keys() & {"network.peer.address", "network.peer.port", "client.address", "server.port"}
