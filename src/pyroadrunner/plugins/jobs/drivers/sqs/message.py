"""A job as a message of RoadRunner, and back. Pure. (jobs.md, section 5.5)

The body is the payload as text. The rest is in message attributes with the types that RoadRunner's have.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job, PushRefused

LONGEST_DELAY = 900  # seconds
_ID, _JOB, _DELAY, _PRIORITY, _AUTO_ACK, _HEADERS = (
    "rr_id",
    "rr_job",
    "rr_delay",
    "rr_priority",
    "rr_auto_ack",
    "rr_headers",
)
# What SQS adds to a message; each received job has them as headers.
_SYSTEM = frozenset(
    (
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
    )
)
_AGAIN = "SentTimestamp"  # a job with this header was received before
# Characters that the service refuses (its API reference, SendMessage): it began with XML.
_UNSENDABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Json = dict[str, Any]
_decode_headers = msgspec.json.Decoder(dict[str, list[str] | None]).decode


def encode(job: Job, *, group: str | None, copied: bool = False) -> Json:
    """The parameters of ``SendMessage`` without the queue.

    Args:
        group: of a FIFO queue; ``None`` for others.
        copied: the job is a copy of one that the queue knows.

    Raises:
        PushRefused
    """
    delay = 0 if group is not None else job.delay
    attributes = {
        _ID: _text(job.id),
        _JOB: _text(job.name),
        _DELAY: _text(str(job.delay)),
        _PRIORITY: {"DataType": "Number", "StringValue": str(job.priority)},
        _AUTO_ACK: _text("true" if job.auto_ack else "false"),
        _HEADERS: {"DataType": "Binary", "BinaryValue": base64.b64encode(_headers(job.headers)).decode()},
    }
    message: Json = {"MessageBody": _body(job.payload), "MessageAttributes": attributes}
    if delay > 0:
        message["DelaySeconds"] = min(delay, LONGEST_DELAY)
    if group is not None:
        if not group:
            raise PushRefused("a FIFO queue needs a group: set `message_group_id`")
        message["MessageGroupId"] = group
        # The queue drops a message whose id it has seen within five minutes.
        again = copied or _AGAIN in job.headers
        message["MessageDeduplicationId"] = str(uuid.uuid4()) if again or not job.id else job.id
    return message


def decode(message: Json, *, pipeline: str, priority: int) -> Job:
    """The job of a message, also of one that another program has sent.

    Args:
        pipeline, priority: of the pipeline that receives it.
    """
    attributes: Json = message.get("MessageAttributes") or {}
    system: Mapping[str, str] = message.get("Attributes") or {}
    ours = _ID in attributes
    headers = _own_headers(attributes) if ours else _foreign_headers(attributes)
    headers.update({name: [value] for name, value in system.items()})
    return Job(
        id=_value(attributes, _ID) or str(uuid.uuid4()),
        name=_value(attributes, _JOB) or FOREIGN,
        payload=message.get("Body", "").encode(),
        headers=headers,
        pipeline=pipeline,
        priority=_number(attributes, _PRIORITY) or priority,
        delay=max(0, _number(attributes, _DELAY)),
        auto_ack=_value(attributes, _AUTO_ACK) == "true",
    )


def size(message: Json) -> int:
    """Bytes of a message, as the service counts them: body, names, types and values of attributes."""
    total = len(message["MessageBody"].encode())
    for name, attribute in message["MessageAttributes"].items():
        value = attribute.get("StringValue") or attribute.get("BinaryValue") or ""
        total += len(name.encode()) + len(attribute["DataType"]) + len(value.encode())
    return total


def _body(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise PushRefused("SQS only takes text: the payload is not UTF-8") from None
    if not text:
        raise PushRefused("SQS takes no empty payload")
    if found := _UNSENDABLE.search(text):
        raise PushRefused(f"SQS does not take the character U+{ord(found[0]):04X} at {found.start()} of the payload")
    return text


def _headers(headers: Headers) -> bytes:
    """Without what the service adds by itself."""
    if _AGAIN in headers:
        headers = {name: values for name, values in headers.items() if name not in _SYSTEM}
    return msgspec.json.encode(headers)


def _text(value: str) -> Json:
    if not value:
        raise PushRefused("SQS takes no empty id and no empty name of a job")
    return {"DataType": "String", "StringValue": value}


def _value(attributes: Json, name: str) -> str:
    return str(attributes.get(name, {}).get("StringValue") or "")


def _number(attributes: Json, name: str) -> int:
    try:
        return int(_value(attributes, name) or 0)
    except ValueError:
        return 0


def _binary(attribute: Json) -> bytes:
    try:
        return base64.b64decode(attribute.get("BinaryValue") or "")
    except (binascii.Error, ValueError):
        return b""


def _own_headers(attributes: Json) -> dict[str, list[str]]:
    try:
        found = _decode_headers(_binary(attributes.get(_HEADERS, {})) or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {name: values or [] for name, values in found.items()}


def _foreign_headers(attributes: Json) -> dict[str, list[str]]:
    return {
        name: [attribute.get("StringValue") or _binary(attribute).decode("utf-8", "replace")]
        for name, attribute in attributes.items()
        if name not in (_JOB, _DELAY, _PRIORITY, _AUTO_ACK, _HEADERS)
    }
