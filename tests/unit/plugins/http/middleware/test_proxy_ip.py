"""The client's address from a proxy, and when it is trusted."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.proxy_ip import ProxyIp, build
from pyroadrunner.plugins.http.middleware.registry import Setup
from pyroadrunner.plugins.http.middleware.subnets import Subnets
from support.asgi import Exchange, ScriptedPool, http_scope, worker_app
from support.http_section import read_http
from support.log import logged

PEER = "10.0.0.1"


def remote(
    headers: list[tuple[str, str]],
    *,
    peer: tuple[str, int] | None = (PEER, 4321),
    names: tuple[str, ...] = (),
    walk: bool = False,
) -> str:
    pool = ScriptedPool()
    config = HttpConfig(trusted_subnets=["10.0.0.0/8", "127.0.0.1"], trusted_headers=list(names), trusted_walk=walk)
    layer = build(Setup(config=config, effective={}))
    assert layer is not None
    Exchange(http_scope(headers=headers, client=peer)).run(layer(worker_app(pool)))
    found: str = pool.context["remoteAddr"]
    return found


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], PEER),
        ([("Forwarded", "for=1.1.1.1;proto=https")], "1.1.1.1"),
        ([("Forwarded", "proto=https; FOR = 1.1.1.1, for=2.2.2.2")], "1.1.1.1"),
        ([("Forwarded", 'for="[2001:db8::1]:80"')], "2001:db8::1"),
        ([("Forwarded", 'by=3.3.3.3;for="[2001:db8::1]"')], "2001:db8::1"),
        ([("Forwarded", "for=1.1.1.1|x")], "1.1.1.1"),
        ([("X-Forwarded-For", "1.1.1.1, 10.1.1.1")], "1.1.1.1"),
        ([("X-Forwarded-For", "1.1.1.1:99")], "1.1.1.1"),
        ([("X-Forwarded-For", "[2001:db8::1]")], "2001:db8::1"),
        ([("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2")], "1.1.1.1"),
        ([("X-Real-Ip", "2.2.2.2"), ("X-Forwarded-For", "1.1.1.1")], "1.1.1.1"),
        ([("X-Real-Ip", "2.2.2.2"), ("X-Forwarded-For", "garbage")], "2.2.2.2"),
        ([("Cf-Connecting-Ip", "4.4.4.4"), ("True-Client-Ip", "3.3.3.3")], "3.3.3.3"),
        ([("Cf-Connecting-Ip", "4.4.4.4")], "4.4.4.4"),
        ([("Forwarded", "proto=https"), ("X-Forwarded-For", "1.1.1.1"), ("X-Real-Ip", "2.2.2.2")], PEER),
        ([("Forwarded", "proto=https"), ("X-Real-Ip", "2.2.2.2"), ("True-Client-Ip", "3.3.3.3")], "3.3.3.3"),
        ([("Forwarded", "for=unknown"), ("Cf-Connecting-Ip", "4.4.4.4")], "4.4.4.4"),
        ([("Forwarded", "x-for=9.9.9.9")], PEER),
        ([("X-Forwarded-For", "garbage"), ("Cf-Connecting-Ip", "x y")], PEER),
        ([("X-Forwarded-For", "")], PEER),
    ],
)
def test_the_first_header_with_an_address_wins(headers: list[tuple[str, str]], address: str) -> None:
    assert remote(headers) == address


def test_headers_of_an_untrusted_peer_are_ignored() -> None:
    assert remote([("X-Forwarded-For", "1.1.1.1")], peer=("192.0.2.1", 1)) == "192.0.2.1"


def test_a_peer_on_a_unix_socket_counts_as_loopback() -> None:
    assert remote([("X-Forwarded-For", "1.1.1.1")], peer=None) == "1.1.1.1"


def test_only_the_configured_headers_are_read() -> None:
    headers = [("Forwarded", "proto=https"), ("X-Forwarded-For", "1.1.1.1"), ("X-Real-Ip", "2.2.2.2")]
    assert remote(headers, names=("X-Real-IP",)) == "2.2.2.2"
    assert remote(headers, names=("Forwarded", "X-Forwarded-For")) == "1.1.1.1"
    assert remote(headers, names=("X-Client",)) == PEER


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([("X-Forwarded-For", "6.6.6.6, 1.1.1.1, 10.1.1.1, 10.2.2.2")], "1.1.1.1"),
        ([("X-Forwarded-For", "6.6.6.6, 1.1.1.1"), ("X-Forwarded-For", "10.1.1.1")], "1.1.1.1"),
        ([("X-Forwarded-For", "10.3.3.3, 10.1.1.1")], "10.3.3.3"),
        ([("X-Forwarded-For", "1.1.1.1, garbage, 10.1.1.1")], PEER),
        ([("Forwarded", "for=6.6.6.6, for=1.1.1.1;by=2.2.2.2, for=10.1.1.1")], "1.1.1.1"),
        ([("X-Real-Ip", "2.2.2.2")], "2.2.2.2"),
    ],
)
def test_walking_back_takes_the_last_address_that_is_no_trusted_proxy(
    headers: list[tuple[str, str]], address: str
) -> None:
    assert remote(headers, walk=True) == address


def test_the_request_log_has_the_address_without_a_port() -> None:
    app = ProxyIp(AccessLog(worker_app(ScriptedPool()), long=False), Subnets(["192.0.2.0/24"]))
    with logged("http") as log:
        Exchange(http_scope(headers={"x-forwarded-for": "2001:db8::1"})).run(app)
    assert log.of("http log")[0]["remote_address"] == "2001:db8::1"


def test_the_scope_of_outer_layers_is_unchanged() -> None:
    scope = http_scope(headers={"x-forwarded-for": "1.1.1.1"})
    Exchange(scope).run(ProxyIp(worker_app(ScriptedPool()), Subnets(["0.0.0.0/0"])))
    assert scope["client"] == ("192.0.2.1", 4321)


def test_without_subnets_there_is_no_layer() -> None:
    assert build(Setup(config=HttpConfig(), effective={})) is None


def test_an_invalid_subnet_is_a_fault_of_the_config() -> None:
    assert read_http({"trusted_subnets": "10.0.0.0/8, unix:, ::1"})[1] == []
    [fault] = read_http({"trusted_subnets": ["10.0.0.0/8", "10.0.0.0/99"]})[1]
    assert "http.trusted_subnets: '10.0.0.0/99' does not appear to be an IPv4 or IPv6 network" in fault
