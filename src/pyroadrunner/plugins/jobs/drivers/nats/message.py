"""A job as a message of RoadRunner, and back. Pure. (jobs.md, section 5.6)

The data is JSON with the payload in base64; headers of the job are those of the message.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job

SUBJECT = "x-nats-subject"  # header that every received job has (RoadRunner's)
_CONTROL = "nats-"  # headers with a meaning for the broker: deduplication, expectations


class _Options(msgspec.Struct, kw_only=True):
    """In the order of RoadRunner's."""

    priority: int = 0
    pipeline: str = ""
    delay: int | msgspec.UnsetType = msgspec.UNSET
    auto_ack: bool = False
    queue: str = msgspec.field(default="", name="Queue")


class _Data(msgspec.Struct, kw_only=True):
    job: str
    id: str = ""
    payload: bytes | None = None
    options: _Options


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Data).decode


@dataclass(frozen=True, slots=True)
class Position:
    """What the subject for acknowledgements says of a delivery.

    Attributes:
        deliveries: of this message, with this one.
        sequence: its number in the stream.
        time: when the broker stored it, in seconds since 1970.
    """

    deliveries: int
    sequence: int
    time: float

    @classmethod
    def of(cls, reply: str) -> Position | None:
        """Read ``$JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.number.time.pending[.random]``.

        NATS' ADR-15; servers write the shorter form unless the subject has a domain.
        """
        tokens = reply.split(".")
        if len(tokens) < 9 or tokens[:2] != ["$JS", "ACK"]:
            return None
        deliveries, sequence, _, time = tokens[4:8] if len(tokens) < 11 else tokens[6:10]
        try:
            return cls(int(deliveries), int(sequence), int(time) / 1e9)
        except ValueError:
            return None


def encode(job: Job) -> bytes:
    """The data of a message."""
    options = _Options(priority=job.priority, pipeline=job.pipeline, auto_ack=job.auto_ack)
    if job.delay > 0:
        options.delay = job.delay
    return _encode(_Data(job=job.name, id=job.id, payload=job.payload, options=options))


def header_lines(headers: Headers) -> list[tuple[str, str]]:
    """The headers to publish. A job that was received before has left the old message's meaning for the broker."""
    again = SUBJECT in headers
    return [
        (name, value)
        for name, values in headers.items()
        if not again or (name != SUBJECT and not name.lower().startswith(_CONTROL))
        for value in values
    ]


def decode(data: bytes, lines: Iterable[tuple[str, str]], subject: str, *, pipeline: str, priority: int) -> Job:
    """The job of a message, also of one that another program has published.

    Args:
        pipeline, priority: of the pipeline that receives it.
    """
    headers: dict[str, list[str]] = {}
    for name, value in lines:
        headers.setdefault(name, []).append(value)
    headers[SUBJECT] = [subject]
    try:
        found = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Job(
            id=str(uuid.uuid4()), name=FOREIGN, payload=data, headers=headers, pipeline=pipeline, priority=priority
        )
    options = found.options
    return Job(
        id=found.id or str(uuid.uuid4()),
        name=found.job,
        payload=found.payload or b"",
        headers=headers,
        pipeline=options.pipeline or pipeline,
        priority=options.priority or priority,
        delay=options.delay if isinstance(options.delay, int) else 0,
        auto_ack=options.auto_ack,
    )


def read_lines(raw: bytes) -> list[tuple[str, str]]:
    """The headers of a message in their order, a name as often as it occurs.

    Args:
        raw: from ``NATS/1.0`` to the empty line (NATS' ADR-4).
    """
    lines = []
    for line in raw.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            lines.append((name.decode("utf-8", "replace"), value.strip().decode("utf-8", "replace")))
    return lines


def as_mapping(lines: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """One value for each name, the last one."""
    return dict(lines)
