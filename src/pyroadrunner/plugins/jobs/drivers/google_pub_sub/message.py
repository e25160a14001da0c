"""A job as a message of RoadRunner, and back. Pure. (jobs.md, section 5.8)

The data is the payload. The rest is in attributes, which are all text, up to 1024 bytes each. What of the headers does
not fit is in further attributes, which only this server reads.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job, PushRefused
from pyroadrunner.proto.pubsub.v1 import pubsub_pb2 as pb

LARGEST = 10_000_000  # bytes of a message, and of a call (cloud.google.com/pubsub/quotas)
_LONGEST = 1024  # bytes of a value
_ID, _JOB, _DELAY, _HEADERS = "rr_id", "rr_job", "rr_delay", "rr_headers"
_PRIORITY, _AUTO_ACK = "rr_priority", "rr_auto_ack"
_MORE_HEADERS = "rr_headers_"  # with the number of the piece, from 1 on
_MOST_PIECES = 90  # a message has at most 100 attributes

_decode_headers = msgspec.json.Decoder(dict[str, list[str] | None]).decode


def encode(job: Job) -> pb.Message:
    """The message of a job.

    Raises:
        PushRefused
    """
    attributes = {
        _ID: job.id,
        _JOB: job.name,
        _DELAY: str(job.delay),
        **_encode_headers(job.headers),
        _PRIORITY: str(job.priority),
        _AUTO_ACK: "true" if job.auto_ack else "false",
    }
    for name in (_ID, _JOB):
        if len(attributes[name].encode()) > _LONGEST:
            raise PushRefused(f"Pub/Sub takes no {name} of more than {_LONGEST} bytes")
    message = pb.Message(data=job.payload, attributes=attributes)
    if (size := message.ByteSize()) > LARGEST:
        raise PushRefused(f"Pub/Sub takes no message of more than {LARGEST} bytes; this one has {size}")
    return message


def decode(message: pb.Message, *, pipeline: str, priority: int) -> Job:
    """The job of a message, also of one that another program has sent.

    Args:
        pipeline, priority: of the pipeline that receives it.
    """
    attributes = dict(message.attributes)
    return Job(
        id=attributes.get(_ID) or str(uuid.uuid4()),
        name=attributes.get(_JOB) or FOREIGN,
        payload=message.data,
        headers=_headers(attributes),
        pipeline=pipeline,
        priority=_number(attributes, _PRIORITY) or priority,
        delay=max(0, _number(attributes, _DELAY)),
        auto_ack=attributes.get(_AUTO_ACK) == "true",
    )


def _encode_headers(headers: Headers) -> dict[str, str]:
    """The attributes of headers: as much as fits where RoadRunner looks, the rest in pieces."""
    text = msgspec.json.encode(headers)
    if len(text) <= _LONGEST:
        return {_HEADERS: text.decode()}
    fits: dict[str, list[str]] = {}
    rest: dict[str, list[str]] = {}
    room = _LONGEST - len("{}")
    for name, values in headers.items():
        length = len(msgspec.json.encode({name: values})) - len("{}") + len(",")
        into = fits if length <= room else rest
        into[name] = list(values)
        room -= length if into is fits else 0
    pieces = _pieces(msgspec.json.encode(rest))
    if len(pieces) > _MOST_PIECES:
        raise PushRefused(f"Pub/Sub takes no more than about {_MOST_PIECES * _LONGEST // 1000} kB of headers")
    more = {f"{_MORE_HEADERS}{at}": piece for at, piece in enumerate(pieces, 1)}
    return {_HEADERS: msgspec.json.encode(fits).decode(), **more}


def _pieces(text: bytes) -> list[str]:
    """UTF-8 in pieces that fit, each of whole characters."""
    found: list[str] = []
    while text:
        at = min(_LONGEST, len(text))
        while at < len(text) and text[at] & 0xC0 == 0x80:  # in the middle of a character
            at -= 1
        found.append(text[:at].decode())
        text = text[at:]
    return found


def _headers(attributes: Mapping[str, str]) -> dict[str, list[str]]:
    """The headers in RoadRunner's attributes, and all attributes that are not RoadRunner's."""
    found: dict[str, list[str]] = {name: [value] for name, value in attributes.items() if not name.startswith("rr_")}
    pieces: list[str] = []
    while (piece := attributes.get(f"{_MORE_HEADERS}{len(pieces) + 1}")) is not None:
        pieces.append(piece)
    for text in (attributes.get(_HEADERS), "".join(pieces)):
        try:
            headers = _decode_headers(text) if text else {}
        except msgspec.DecodeError:
            continue
        found.update({name: values or [] for name, values in headers.items()})
    return found


def _number(attributes: Mapping[str, str], name: str) -> int:
    try:
        return int(attributes.get(name) or 0)
    except ValueError:
        return 0
