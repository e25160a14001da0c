"""The contexts of events: RoadRunner's keys, in its order."""

from __future__ import annotations

import json
import random
from uuid import RFC_4122, UUID

import pytest

from pyroadrunner.plugins.tcp.events import Event, context_prefix, new_uuid, remote_address


def test_the_context_has_roadrunners_keys_in_its_order() -> None:
    prefix = context_prefix("127.0.0.1:50412", "smtp", "3c1b")
    assert prefix + Event.CONNECTED.tail == (
        b'{"remote_addr":"127.0.0.1:50412","server":"smtp","uuid":"3c1b","event":"CONNECTED"}'
    )


@pytest.mark.parametrize("event", list(Event))
def test_each_event_has_its_word_and_a_place_of_its_own(event: Event) -> None:
    context = json.loads(context_prefix("@", 'a "quoted" name', "3c1b") + event.tail)
    assert (context["event"], context["server"]) == (event.value, 'a "quoted" name')
    assert list(Event)[event.place] is event


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        ("", "@"),
        (b"", "@"),
        (None, "@"),
    ],
)
def test_the_address_of_a_client_has_a_port_and_on_a_unix_socket_is_an_at_sign(peer: object, text: str) -> None:
    assert remote_address(peer) == text


@pytest.mark.parametrize("given", [b"\x00" * 16, b"\xff" * 16, random.Random(1).randbytes(16)])
def test_a_uuid_is_random_and_of_version_4(given: bytes) -> None:
    text = new_uuid(given)
    read = UUID(text)
    assert (str(read), read.version, read.variant) == (text, 4, RFC_4122)
    assert text == str(UUID(bytes=given, version=4))
