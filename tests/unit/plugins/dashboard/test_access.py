"""Secrets, sessions, failed attempts, hosts and origins."""

from __future__ import annotations

import base64
from itertools import count

import pytest

from pyroadrunner.plugins.dashboard.access import Failures, Secrets, Sessions, host_allowed, same_origin

SECRETS = Secrets("0123456789abcdef", {"ann": "password", "bob": "käse:brot"})


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sessions(clock: Clock, ttl: float = 60.0) -> Sessions:
    numbers = count()
    return Sessions(ttl, clock, lambda: f"secret{next(numbers)}")


@pytest.mark.parametrize(
    ("header", "user"),
    [
        ("Bearer 0123456789abcdef", "token"),
        ("bearer   0123456789abcdef ", "token"),
        (basic("ann:password"), "ann"),
        (basic("bob:käse:brot"), "bob"),
        ("Bearer 0123456789abcdeF", None),
        ("Bearer ", None),
        ("0123456789abcdef", None),
        ("Digest 0123456789abcdef", None),
        (basic("ann:"), None),
        (basic("ann"), None),
        (basic("eve:password"), None),
        (basic("ann:käse:brot"), None),
        ("Basic ???", None),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), None),
        ("", None),
    ],
)
def test_a_header_names_its_user_or_nobody(header: str, user: str | None) -> None:
    assert SECRETS.check_header(header) == user


def test_an_absent_token_is_not_the_empty_one() -> None:
    only_users = Secrets("", {"ann": "password"})
    assert only_users.check_token("") is None
    assert not only_users.has_token
    assert Secrets("0123456789abcdef", {}).check_password("", "") is None
    assert "password" not in repr(SECRETS)


def test_a_session_lives_while_it_is_used() -> None:
    clock = Clock()
    table = sessions(clock)
    cookie, session = table.begin("ann")
    for _ in range(3):
        clock.now += 59
        assert table.find(cookie) is session
    clock.now += 61
    assert table.find(cookie) is None
    assert table.find(cookie) is None


def test_a_session_ends_and_an_unknown_cookie_has_none() -> None:
    table = sessions(Clock())
    cookie, session = table.begin("ann")
    assert session.key != cookie
    assert table.find(session.key) is None
    table.end(cookie)
    table.end(cookie)
    assert table.find(cookie) is None


def test_the_table_of_sessions_is_bounded() -> None:
    table = sessions(Clock())
    cookies = [table.begin("ann")[0] for _ in range(200)]
    assert table.find(cookies[0]) is not None  # the next victim is the second
    table.begin("bob")
    assert table.find(cookies[1]) is None
    assert table.find(cookies[0]) is not None


def test_ten_failures_block_a_client_for_the_rest_of_the_minute() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(10):
        assert not failures.blocked("1.2.3.4")
        failures.add("1.2.3.4")
        clock.now += 1
    assert failures.blocked("1.2.3.4") == 50
    assert not failures.blocked("1.2.3.5")
    clock.now += 50
    assert not failures.blocked("1.2.3.4")
    failures.add("1.2.3.4")
    assert not failures.blocked("1.2.3.4")


def test_the_table_of_failures_is_bounded() -> None:
    failures = Failures(Clock())
    for number in range(2000):
        failures.add(str(number))
    assert repr(failures) == "Failures(1000 clients)"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:2115", "a.localhost:1", "127.0.0.1:2115", "192.0.2.1", "[::1]:2115", "ops.example.com"],
)
def test_addresses_local_names_and_names_of_the_config_are_hosts(host: str) -> None:
    assert host_allowed(host, {"ops.example.com"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":2115",
        "evil.example",
        "evil.example:2115",
        "ops.example.com.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:80@evil",
        "2130706433",
        "0x7f000001",
        ",",
        "localhost:x",
        "localhost,evil",
    ],
)
def test_a_foreign_name_is_no_host(host: str) -> None:
    assert not host_allowed(host, {"ops.example.com"})


def test_a_star_allows_every_name() -> None:
    assert host_allowed("any.example", {"*"})


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:2115", "127.0.0.1:2115", True),
        ("http://LocalHost", "localhost:80", True),
        ("https://ops.example.com", "ops.example.com", True),
        ("https://ops.example.com", "ops.example.com:443", True),
        ("http://[::1]:2115", "[::1]:2115", True),
        ("http://127.0.0.1:8080", "127.0.0.1:2115", False),
        ("http://localhost:2115", "127.0.0.1:2115", False),
        ("http://127.0.0.1:2115.evil.example", "127.0.0.1:2115", False),
        ("http://evil.example", "127.0.0.1:2115", False),
        ("null", "127.0.0.1:2115", False),
        ("file://", "127.0.0.1:2115", False),
        ("", "127.0.0.1:2115", False),
    ],
)
def test_an_origin_is_the_same_or_not(origin: str, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same
