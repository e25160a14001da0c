"""Which addresses are announced."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pyroadrunner.contracts import ServedAddress
from pyroadrunner.plugins.discovery.announcement import Announcement, announcement, is_loopback
from pyroadrunner.plugins.discovery.server import Endpoint


def announce(
    address: str, host: str = "", kind: str = "http", overrides: Mapping[str, str] | None = None, path: str = ""
) -> Announcement:
    served = [ServedAddress(kind=kind, address=address, key=f"{kind}.address", path=path)]
    return announcement(served, ("http", "https", "grpc", "websocket"), host, overrides or {})


@pytest.mark.parametrize(
    ("address", "host", "announced"),
    [
        (":8080", "", ""),  # the registry knows the address of the machine
        ("0.0.0.0:8080", "10.0.0.5", "10.0.0.5"),
        ("[::]:8080", "web.example", "web.example"),
        ("10.0.0.7:8080", "10.0.0.5", "10.0.0.7"),
        ("127.0.0.1:8080", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1:8080", "localhost", "127.0.0.1"),
        ("localhost:8080", "::1", "localhost"),
        (":8080", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_host_of_an_address(address: str, host: str, announced: str) -> None:
    assert announce(address, host).endpoints == [Endpoint(kind="http", host=announced, port=8080)]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080 is on loopback, which no other machine reaches"),
        ("localhost:8080", "localhost:8080 is on loopback, which no other machine reaches"),
        ("unix:///run/rr.sock", "a unix socket, which no other machine reaches"),
    ],
)
def test_an_address_that_no_other_machine_reaches_is_left_out(address: str, why: str) -> None:
    for host in ("", "10.0.0.5"):
        assert announce(address, host) == Announcement([], {"http.address": why})


def test_only_named_kinds_are_announced() -> None:
    assert announce(":6001", kind="rpc") == Announcement([], {})


def test_an_override_replaces_the_address_in_use() -> None:
    found = announce("127.0.0.1:8080", overrides={"http": "203.0.113.5:80"})
    assert found.endpoints == [Endpoint(kind="http", host="203.0.113.5", port=80)]


def test_a_path_is_announced_on_each_http_port() -> None:
    served = [
        ServedAddress(kind="websocket", address="", key="websocket.path", path="/ws"),
        ServedAddress(kind="http", address=":80", key="http.address"),
        ServedAddress(kind="https", address=":443", key="http.ssl.address"),
    ]
    found = announcement(served, ("websocket",), "a", {"https": "b:8443"})
    assert found.endpoints == [
        Endpoint(kind="websocket", host="a", port=80, path="/ws"),
        Endpoint(kind="websocket", host="b", port=8443, path="/ws"),
    ]


def test_an_address_is_announced_once() -> None:
    served = [ServedAddress(kind="http", address=":80", key="a"), ServedAddress(kind="http", address=":80", key="b")]
    assert len(announcement(served, ("http",), "a", {}).endpoints) == 1


def test_loopback() -> None:
    assert [host for host in ("127.9.9.9", "::1", "localhost", "a.localhost", "10.0.0.1", "") if is_loopback(host)] == [
        "127.9.9.9",
        "::1",
        "localhost",
        "a.localhost",
    ]
