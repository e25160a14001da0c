"""Channels, signatures and frames of the Pusher protocol, with the examples of its documentation."""

from __future__ import annotations

import json

import pytest

from pyroadrunner.plugins.websocket.pusher import frames, signatures
from pyroadrunner.plugins.websocket.pusher.channels import Channel, Kind, is_valid

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"


@pytest.mark.parametrize(
    ("name", "kind", "cached"),
    [
        ("news", Kind.PUBLIC, False),
        ("privateer", Kind.PUBLIC, False),
        ("cache-news", Kind.PUBLIC, True),
        ("private-a", Kind.PRIVATE, False),
        ("private-cache-a", Kind.PRIVATE, True),
        ("private-encrypted-a", Kind.ENCRYPTED, False),
        ("private-encrypted-cache-a", Kind.ENCRYPTED, True),
        ("presence-a", Kind.PRESENCE, False),
        ("presence-cache-a", Kind.PRESENCE, True),
        ("#server-to-user-7", Kind.USER, False),
    ],
)
def test_the_longest_prefix_decides(name: str, kind: Kind, cached: bool) -> None:
    channel = Channel(name)
    assert (channel.kind, channel.cached, is_valid(name)) == (kind, cached, True)
    assert channel.user == ("7" if kind is Kind.USER else "")


@pytest.mark.parametrize("name", ["a b", "ä", "a/b", "#other", "x" * 201, "a#b"])
def test_other_names_are_refused(name: str) -> None:
    assert not is_valid(name)


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            signatures.channel_text("1234.1234", "private-foobar"),
            "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
        ),
        (
            signatures.channel_text(
                "1234.1234", "presence-foobar", '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'
            ),
            "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        ),
        (
            signatures.user_text("1234.1234", '{"id":"12345"}'),
            "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
        ),
    ],
)
def test_signatures_are_those_of_the_documentation(text: str, signature: str) -> None:
    assert signatures.sign(SECRET, text) == signature
    assert signatures.is_authorised(KEY, SECRET, f"{KEY}:{signature}", text)
    for wrong in (f"other:{signature}", f"{KEY}:{signature[:-1]}x", signature, "", f"{KEY}:é"):
        assert not signatures.is_authorised(KEY, SECRET, wrong, text)


BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
QUERY = [
    ("auth_key", KEY),
    ("auth_timestamp", "1353088179"),
    ("auth_version", "1.0"),
    ("body_md5", "ec365a775a4cd0599faeb73354201b6f"),
    ("auth_signature", "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"),
]


def fault(query: list[tuple[str, str]], body: bytes = BODY, now: float = 1353088179.0, method: str = "POST") -> str:
    return signatures.request_fault(KEY, SECRET, method, "/apps/3/events", query, body, now)


def test_a_request_is_signed_as_in_the_documentation() -> None:
    assert fault(QUERY) == ""
    assert fault(list(reversed(QUERY))) == ""


def test_anything_else_is_refused_in_words() -> None:
    assert "auth_timestamp" in fault(QUERY, now=1353088179.0 + 601)
    assert "body_md5" in fault(QUERY, body=BODY + b" ")
    assert "auth_signature" in fault(QUERY, method="GET")
    assert "auth_signature" in fault([*QUERY, ("more", "1")])
    assert "auth_key" in fault([("auth_key", "other"), *QUERY[1:]])
    assert "auth_timestamp" in fault(QUERY[:1])
    assert "auth_key" in fault([])


def test_the_data_of_an_event_is_a_string() -> None:
    found = json.loads(frames.established("1.2", 30))
    assert json.loads(found["data"]) == {"socket_id": "1.2", "activity_timeout": 30}
    assert json.loads(frames.event("e", "c", "as it is")) == {"event": "e", "channel": "c", "data": "as it is"}


def test_clients_may_send_objects_or_strings() -> None:
    for message in (
        b'{"event":"e","data":{"channel":"c"}}',
        b'{"event":"e","data":"{\\"channel\\":\\"c\\"}"}',
    ):
        event = frames.read(message)
        assert event is not None
        assert frames.fields(event.data) == {"channel": "c"}
    assert frames.read(b"nonsense") is None
    assert frames.read(b"[]") is None
    assert frames.fields("nonsense") == {}


def test_a_presence_without_users_has_an_object() -> None:
    assert frames.presence([]) == {"presence": {"ids": [], "hash": {}, "count": 0}}
    assert frames.presence([("1", None), ("1", None)])["presence"]["count"] == 1
