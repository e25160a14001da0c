"""A job as a message of AMQP, and back: byte for byte what RoadRunner writes and reads. Pure. (jobs.md, section 5.3)

The types of the headers matter: a RoadRunner that reads an ``rr_priority`` other than a 64-bit integer crashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec

from pyroadrunner.plugins.jobs.drivers.amqp.client import Int64
from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Job, PushRefused

ROUTING_KEY = "x-routing-key"  # header: overrides the pipeline's routing key, and is removed
LONGEST_DELAY = (2**32 - 1) // 2000  # seconds: RabbitMQ keeps twice as many milliseconds in 32 bits
_LONGEST_KEY = 255  # bytes
_OURS = ("rr_id", "rr_job", "rr_pipeline", "rr_headers", "rr_delay", "rr_priority", "rr_auto_ack")

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, list[str] | None] | None).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a pipeline publishes.

    Attributes:
        queue: of the pipeline; may be empty.
        keyless: whether the exchange does not look at routing keys.
    """

    exchange: str
    routing_key: str
    queue: str
    keyless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayQueue:
    """A queue from which messages go to the exchange when their time is over.

    Attributes:
        arguments: RoadRunner's, so that both can use the same queue.
    """

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to publish.

    Attributes:
        delayed_by: to be declared first.
    """

    exchange: str
    routing_key: str
    headers: dict[str, Any]
    body: bytes
    delayed_by: DelayQueue | None = None


def message_of(job: Job, route: Route) -> Message:
    """The message of a job.

    Raises:
        PushRefused: the job can't be a message.
    """
    headers, key = job.headers, route.routing_key
    if ROUTING_KEY in headers:
        values = headers[ROUTING_KEY]
        headers = {name: found for name, found in headers.items() if name != ROUTING_KEY}
        if len(values) == 1 and values[0]:
            key = values[0]
            if len(key.encode()) > _LONGEST_KEY:
                raise PushRefused(f"the header {ROUTING_KEY} is longer than {_LONGEST_KEY} bytes")
    if not key and not route.keyless:
        raise PushRefused("empty routing key, consider adding the routing key name to the AMQP configuration")
    if any(name in headers for name in _OURS):  # workers get them as headers, and send them back with a requeue
        headers = {name: found for name, found in headers.items() if name not in _OURS}
    table = {
        "rr_id": job.id,
        "rr_job": job.name,
        "rr_pipeline": job.pipeline,
        "rr_headers": _encode(headers),
        "rr_delay": job.delay,
        "rr_priority": Int64(job.priority),
        "rr_auto_ack": job.auto_ack,
    }
    if job.delay <= 0:
        return Message(exchange=route.exchange, routing_key=key, headers=table, body=job.payload)
    delayed = delay_queue(job.delay, route, key)
    # To the queue itself: RoadRunner publishes to the exchange, which may have other queues for the key.
    return Message(exchange="", routing_key=delayed.name, headers=table, body=job.payload, delayed_by=delayed)


def delay_queue(delay: int, route: Route, key: str) -> DelayQueue:
    """The queue for a delay of whole seconds.

    Raises:
        PushRefused: the delay is too long, or the name of the queue.
    """
    if delay > LONGEST_DELAY:
        raise PushRefused(f"the longest delay is {LONGEST_DELAY} seconds, provided: {delay}")
    ms = delay * 1000
    name = f"delayed-{ms}.{route.exchange}.{route.queue or route.routing_key}"
    if key != route.routing_key:  # RoadRunner has one queue for all keys, and the broker then refuses the second
        name = f"{name}.{key}"
    if len(name.encode()) > _LONGEST_KEY:
        raise PushRefused(f"the name of the queue for delayed jobs is longer than {_LONGEST_KEY} bytes: {name}")
    return DelayQueue(
        name=name,
        arguments={
            "x-dead-letter-exchange": route.exchange,
            "x-dead-letter-routing-key": key,
            "x-message-ttl": Int64(ms),
            "x-expires": Int64(2 * ms),
        },
    )


def job_of(
    table: Mapping[Any, Any] | None, body: bytes, pipeline: str, priority: int
) -> tuple[Job, Mapping[str, list[str]]]:
    """The job of a message, and those of its headers that the broker or RoadRunner's encoding has added.

    Args:
        pipeline, priority: for messages that do not say it.
    """
    table = table or {}
    headers: dict[str, list[str]] = {}
    for name, value in table.items():
        _flatten(headers, _text(name), value)
    own: Mapping[str, list[str]] | None = None
    encoded = table.get("rr_headers")
    if isinstance(encoded, bytes | str):
        try:
            own = {name: values or [] for name, values in (_decode(encoded) or {}).items()}
        except (msgspec.DecodeError, UnicodeDecodeError):
            own = None
    added: Mapping[str, list[str]] = {}
    if own is not None:
        added = {name: values for name, values in headers.items() if name not in own}
        headers = {**headers, **own}
    found, name = table.get("rr_id"), table.get("rr_job")
    said = table.get("rr_pipeline")
    number, delay = table.get("rr_priority"), table.get("rr_delay")
    job = Job(
        id=found if isinstance(found, str) else str(uuid4()),
        name=name if isinstance(name, str) else FOREIGN,
        payload=body,
        headers=headers,
        pipeline=said if isinstance(said, str) else pipeline,
        priority=_int(number) or priority,
        delay=_int(delay),
        auto_ack=table.get("rr_auto_ack") is True,
    )
    return job, added


def _int(value: object) -> int:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _flatten(into: dict[str, list[str]], name: str, value: object) -> None:
    """A header for a worker, as RoadRunner writes it. The keys of a table count as headers of their own."""
    match value:
        case bool():
            into[name] = ["true" if value else "false"]
        case int():
            into.setdefault(name, []).append(str(int(value)))
        case float():
            into.setdefault(name, []).append(f"{value:.5f}")
        case Decimal():
            into.setdefault(name, []).append(f"{value:f}")
        case str() | bytes():
            into.setdefault(name, []).append(_text(value))
        case datetime():
            into.setdefault(name, []).append(value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        case list():
            for one in value:
                _flatten(into, name, one)
        case dict():
            for key, one in value.items():
                _flatten(into, _text(key), one)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
