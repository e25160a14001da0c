"""Messages of the driver ``google_pub_sub``. (jobs.md, section 5.8)"""

from __future__ import annotations

import json

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.message import decode, encode
from pyroadrunner.proto.pubsub.v1 import pubsub_pb2 as pb

JOB = Job(
    id="i",
    name="App\\Job",
    payload=b"\x00\xff",
    headers={"k": ["v", "é"]},
    pipeline="p",
    priority=7,
    delay=3,
    auto_ack=True,
)
ATTRIBUTES = {
    "rr_id": "i",
    "rr_job": "App\\Job",
    "rr_delay": "3",
    "rr_headers": '{"k":["v","é"]}',
    "rr_priority": "7",
    "rr_auto_ack": "true",
}


def read(data: bytes = b"", **attributes: str) -> Job:
    return decode(pb.Message(data=data, attributes=attributes), pipeline="p", priority=10)


def test_the_message_is_roadrunners() -> None:
    found = encode(JOB)
    assert (found.data, dict(found.attributes)) == (b"\x00\xff", ATTRIBUTES)


def test_roadrunners_message_is_read() -> None:
    assert read(b"\x00\xff", **ATTRIBUTES) == JOB


def test_a_message_of_another_program() -> None:
    found = read(b"x", text="ü", rr_priority="many", rr_delay="-1")
    assert (found.name, found.payload, found.headers) == ("deduced_by_rr", b"x", {"text": ["ü"]})
    assert (found.priority, found.delay, found.auto_ack, len(found.id)) == (10, 0, False, 36)


@pytest.mark.parametrize("text", ["null", "[]", "{", '{"k":"v"}'])
def test_headers_that_can_not_be_read_are_left_out(text: str) -> None:
    assert read(rr_id="i", rr_headers=text).headers == {}


def test_what_google_adds_to_a_dead_letter_is_kept() -> None:
    found = read(**ATTRIBUTES, CloudPubSubDeadLetterSourceDeliveryCount="5")
    assert found.headers == {"CloudPubSubDeadLetterSourceDeliveryCount": ["5"], "k": ["v", "é"]}


def test_an_empty_list_is_null_or_empty() -> None:
    assert read(rr_headers='{"a":null,"b":[]}').headers == {"a": [], "b": []}


def test_headers_of_any_length_fit() -> None:
    """An attribute has at most 1024 bytes. What RoadRunner reads is JSON of its own."""
    headers = {"short": ["1"], "long": ["é" * 3000, "x"], "other": ["2"], "many": ["y" * 500, "z" * 500]}
    attributes = dict(encode(Job(id="i", name="J", payload=b"", headers=headers)).attributes)
    assert max(len(value.encode()) for value in attributes.values()) <= 1024
    assert json.loads(attributes["rr_headers"]) == {"short": ["1"], "other": ["2"]}
    assert len(attributes) == 6 + 7
    assert read(**attributes).headers == headers


@pytest.mark.parametrize("length", [1, 1015, 1016, 1017, 1018, 1019, 1020, 1024])
def test_headers_about_as_long_as_an_attribute(length: int) -> None:
    headers = {"k": ["x" * length]}
    attributes = dict(encode(Job(id="i", name="J", payload=b"", headers=headers)).attributes)
    assert max(len(value) for value in attributes.values()) <= 1024
    assert read(**attributes).headers == headers
    assert ("rr_headers_1" in attributes) is (len(json.dumps(headers, separators=(",", ":"))) > 1024)


@pytest.mark.parametrize(
    "job",
    [
        Job(id="i" * 1025, name="J", payload=b""),
        Job(id="i", name="é" * 513, payload=b""),
        Job(id="i", name="J", payload=b"x" * 10_000_000),
        Job(id="i", name="J", payload=b"", headers={"h": ["x" * 100_000]}),
    ],
    ids=["id", "name", "payload", "headers"],
)
def test_what_does_not_fit_is_refused(job: Job) -> None:
    with pytest.raises(PushRefused, match="Pub/Sub takes no"):
        encode(job)
