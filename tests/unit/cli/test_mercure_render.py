"""The tables of ``rr mercure``."""

from __future__ import annotations

from pyroadrunner.cli.mercure import render

SUBSCRIBER = {
    "id": "urn:uuid:1",
    "remote_addr": "192.0.2.1",
    "topics": ["books/{id}", "*"],
    "private": True,
    "seconds": 61.0,
    "waiting": 3,
}


def test_subscribers_are_listed_with_what_an_operator_needs() -> None:
    text = render.subscribers([SUBSCRIBER, {**SUBSCRIBER, "id": "urn:uuid:old", "seconds": 7200}])
    assert text.index("urn:uuid:old") < text.index("urn:uuid:1 ")
    for part in ("192.0.2.1", "books/{id}, *", "1m 1s", "2h 0m", "yes", "UPDATES WAITING"):
        assert part in text
    assert render.subscribers([]) == "no subscribers"


def test_a_publisher_is_told_when_no_client_is_connected() -> None:
    assert render.published("urn:a", 1) == "published as urn:a"
    assert render.published("urn:a", 0) == "published as urn:a; no client is connected to this server"
