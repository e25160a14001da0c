"""Messages of the driver ``sqs``. (jobs.md, section 5.5)"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.sqs.message import decode, encode, size

JOB = Job(id="i", name="App\\Job", payload=b"x", headers={"h": ["1", "2"]}, pipeline="p", priority=7, delay=5)


def test_a_message_is_roadrunners() -> None:
    assert encode(JOB, group=None) == {
        "MessageBody": "x",
        "DelaySeconds": 5,
        "MessageAttributes": {
            "rr_id": {"DataType": "String", "StringValue": "i"},
            "rr_job": {"DataType": "String", "StringValue": "App\\Job"},
            "rr_delay": {"DataType": "String", "StringValue": "5"},
            "rr_priority": {"DataType": "Number", "StringValue": "7"},
            "rr_auto_ack": {"DataType": "String", "StringValue": "false"},
            "rr_headers": {"DataType": "Binary", "BinaryValue": base64.b64encode(b'{"h":["1","2"]}').decode()},
        },
    }


def test_a_message_is_read_as_it_was_written() -> None:
    message = encode(JOB, group=None)
    found = decode(
        {"Body": message["MessageBody"], "MessageAttributes": message["MessageAttributes"], "Attributes": {"S": "1"}},
        pipeline="p",
        priority=10,
    )
    assert found == Job(
        id="i",
        name="App\\Job",
        payload=b"x",
        headers={"h": ["1", "2"], "S": ["1"]},
        pipeline="p",
        priority=7,
        delay=5,
    )


def test_a_fifo_message_has_a_group_and_its_id_for_deduplication() -> None:
    message = encode(JOB, group="g")
    assert (message["MessageGroupId"], message["MessageDeduplicationId"]) == ("g", "i")
    assert "DelaySeconds" not in message


@pytest.mark.parametrize("again", [{"copied": True}, {"headers": {"SentTimestamp": ["1"]}}])
def test_a_job_that_the_fifo_queue_has_seen_gets_a_new_id(again: dict[str, Any]) -> None:
    job = Job(id="i", name="J", payload=b"x", headers=again.get("headers", {}))
    message = encode(job, group="g", copied=again.get("copied", False))
    assert len(message["MessageDeduplicationId"]) == 36
    assert message["MessageAttributes"]["rr_id"]["StringValue"] == "i"


def test_what_the_service_adds_is_not_sent_again() -> None:
    headers = {"SentTimestamp": ["1"], "ApproximateReceiveCount": ["2"], "h": ["x"]}
    sent = encode(Job(id="i", name="J", payload=b"x", headers=headers), group=None)["MessageAttributes"]["rr_headers"]
    assert base64.b64decode(sent["BinaryValue"]) == b'{"h":["x"]}'


@pytest.mark.parametrize(
    "attributes",
    [
        {"rr_id": {"StringValue": "i"}, "rr_headers": {"BinaryValue": base64.b64encode(b"no json").decode()}},
        {"rr_id": {"StringValue": "i"}, "rr_priority": {"StringValue": "1.5"}, "rr_headers": {"BinaryValue": "!"}},
    ],
)
def test_unreadable_attributes_are_as_absent(attributes: dict[str, Any]) -> None:
    found = decode({"Body": "b", "MessageAttributes": attributes}, pipeline="p", priority=3)
    assert (found.id, found.name, found.headers, found.priority) == ("i", "deduced_by_rr", {}, 3)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x00", "\ufffe".encode()])
def test_payloads_that_are_no_text(payload: bytes) -> None:
    with pytest.raises(PushRefused, match="SQS"):
        encode(Job(id="i", name="J", payload=payload), group=None)


@pytest.mark.parametrize(("name", "group", "text"), [("", None, "name"), ("J", "", "message_group_id")])
def test_what_the_service_requires(name: str, group: str | None, text: str) -> None:
    with pytest.raises(PushRefused, match=text):
        encode(Job(id="i", name=name, payload=b"x"), group=group)


def test_the_size_counts_body_and_attributes() -> None:
    assert size({"MessageBody": "é", "MessageAttributes": {"n": {"DataType": "String", "StringValue": "abc"}}}) == 12
