"""Entries of a registry."""

from __future__ import annotations

from pyroadrunner.plugins.discovery.server import Endpoint, Server, newest, precedes, rival


def server(id: str, instance: str = "x", started: float = 1.0) -> Server:  # noqa: A002
    return Server(id=id, instance=instance, started=started)


def test_an_address_of_ipv6_is_in_brackets() -> None:
    assert Endpoint(kind="http", host="::1", port=80).address == "[::1]:80"
    assert Endpoint(kind="http", host="a.example", port=80).address == "a.example:80"


def test_the_newest_instance_of_each_id_counts() -> None:
    found = [server("b", "1", 1.0), server("a", "2", 2.0), server("b", "3", 3.0), server("b", "0", 2.0)]
    assert [(one.id, one.instance) for one in newest(found)] == [("a", "2"), ("b", "3")]


def test_a_rival_has_the_same_id_and_another_instance() -> None:
    own = server("a", "1")
    assert rival(own, [own, server("b", "2")]) is None
    assert rival(own, [own, server("a", "2")]) == server("a", "2")


def test_of_two_servers_with_an_id_exactly_one_precedes() -> None:
    assert precedes(server("a", "9", 1.0), server("a", "1", 2.0))
    assert not precedes(server("a", "1", 2.0), server("a", "9", 1.0))
    assert precedes(server("a", "1"), server("a", "2")) != precedes(server("a", "2"), server("a", "1"))


def test_the_first_address_of_a_kind_is_found() -> None:
    one = Endpoint(kind="http", host="a", port=1)
    entry = Server(id="a", endpoints=[one, Endpoint(kind="http", host="a", port=2)])
    assert entry.endpoint("http") == one
    assert entry.endpoint("grpc") is None
