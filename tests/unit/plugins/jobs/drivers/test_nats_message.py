"""Messages of the driver ``nats``. (jobs.md, section 5.6)"""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Job
from pyroadrunner.plugins.jobs.drivers.nats.jetstream import covers
from pyroadrunner.plugins.jobs.drivers.nats.message import Position, decode, encode, header_lines, read_lines

# Of RoadRunner 2025.1: the base64 is of {"k":"é"}.
RECORDED = (
    b'{"job":"App\\\\Job","id":"i","payload":"eyJrIjoiw6kifQ==",'
    b'"options":{"priority":7,"pipeline":"na","auto_ack":false,"Queue":""}}'
)
JOB = Job(id="i", name="App\\Job", payload='{"k":"é"}'.encode(), pipeline="na", priority=7)


def test_the_data_is_roadrunners() -> None:
    assert encode(JOB) == RECORDED


def test_roadrunners_data_is_read() -> None:
    found = decode(RECORDED, [("h", "1"), ("h", "2")], "subject", pipeline="p", priority=10)
    assert found == Job(
        id="i",
        name="App\\Job",
        payload=JOB.payload,
        pipeline="na",
        priority=7,
        headers={"h": ["1", "2"], "x-nats-subject": ["subject"]},
    )


@pytest.mark.parametrize("data", [b'{"job":"J","options":{}}', b'{"job":"J","payload":null,"options":{}}'])
def test_what_is_missing_has_defaults(data: bytes) -> None:
    found = decode(data, [], "s", pipeline="p", priority=3)
    assert (found.name, found.payload, found.pipeline, found.priority, found.delay) == ("J", b"", "p", 3, 0)
    assert len(found.id) == 36


def test_headers_keep_their_case_order_and_values() -> None:
    raw = b"NATS/1.0\r\nA: 1\r\na:2\r\nA:\t 3 \r\nno colon\r\nempty:\r\n\r\n"
    assert read_lines(raw) == [("A", "1"), ("a", "2"), ("A", "3"), ("empty", "")]
    assert read_lines(b"NATS/1.0 404 No Messages\r\n\r\n") == []


def test_headers_for_the_broker_are_published_once() -> None:
    first = {"Nats-Msg-Id": ["m"], "h": ["1", "2"], "none": []}
    assert header_lines(first) == [("Nats-Msg-Id", "m"), ("h", "1"), ("h", "2")]
    assert header_lines({**first, "x-nats-subject": ["s"]}) == [("h", "1"), ("h", "2")]


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.stream.consumer.3.17.20.1700000000500000000.4",
        "$JS.ACK._.hash.stream.consumer.3.17.20.1700000000500000000.4",
        "$JS.ACK.domain.hash.stream.consumer.3.17.20.1700000000500000000.4.random",
    ],
)
def test_positions(reply: str) -> None:
    assert Position.of(reply) == Position(3, 17, 1_700_000_000.5)


@pytest.mark.parametrize("reply", ["", "_INBOX.x", "$JS.ACK.a.b", "$JS.ACK.s.c.x.17.20.1700000000.4"])
def test_other_subjects_are_no_positions(reply: str) -> None:
    assert Position.of(reply) is None


@pytest.mark.parametrize(
    ("pattern", "subject", "wanted"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a.b", True),
        ("a.*", "a.>", False),
        ("a.b", "a.*", False),
        ("a.*", "a.*", True),
        ("a.>", "a.>", True),
    ],
)
def test_subjects_with_wildcards(pattern: str, subject: str, wanted: bool) -> None:
    assert covers(pattern, subject) is wanted
