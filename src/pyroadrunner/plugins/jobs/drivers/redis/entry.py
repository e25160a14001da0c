"""A job as fields of an entry of a stream. Pure.

Fields are ``id``, ``job``, ``payload``, ``pipeline``, ``priority``, and where they apply ``headers`` (JSON) and
``auto_ack``. Other programs need only write ``job`` and ``payload``, or fields of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job

_Scalar: TypeAlias = str | int | float | bool | None

_OWN = frozenset((b"id", b"job", b"payload", b"pipeline", b"priority", b"headers", b"auto_ack"))


def fields_of(job: Job) -> list[str | bytes | int]:
    """Names and values, in turn."""
    fields: list[str | bytes | int] = [
        "id",
        job.id,
        "job",
        job.name,
        "payload",
        job.payload,
        "pipeline",
        job.pipeline,
        "priority",
        job.priority,
    ]
    if job.headers:
        fields += ("headers", msgspec.json.encode(job.headers))
    if job.auto_ack:
        fields += ("auto_ack", 1)
    return fields


def job_of(entry: bytes, fields: Sequence[bytes], pipeline: str, priority: int) -> Job:
    """The job of an entry. Without an id, that of the entry is taken. If there is no payload, it is a JSON object of
    all fields; otherwise fields that are not the driver's are headers.

    Args:
        entry: id of the entry.
        pipeline, priority: for a job that does not tell.
    """
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    payload = found.get(b"payload")
    others: dict[str, Sequence[str]] = {}
    if payload is None:
        payload = json.dumps({_text(name): _text(value) for name, value in found.items()}).encode()
    else:
        others = {_text(name): [_text(value)] for name, value in found.items() if name not in _OWN}
    return Job(
        id=_text(found.get(b"id", b"") or entry),
        name=_text(found.get(b"job", b"")) or FOREIGN,
        payload=payload,
        headers={**others, **_headers(found.get(b"headers", b""))},
        pipeline=_text(found.get(b"pipeline", b"")) or pipeline,
        priority=_whole(found.get(b"priority", b"")) or priority,
        auto_ack=found.get(b"auto_ack", b"") == b"1",
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _whole(value: bytes) -> int:
    try:
        return int(value) if len(value) < 20 else 0
    except ValueError:
        return 0


def _headers(data: bytes) -> Headers:
    """Headers from JSON; a value that is not a list is one with one item."""
    try:
        found = msgspec.json.decode(data, type=dict[str, list[_Scalar] | _Scalar]) if data else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    lists = {name: value if isinstance(value, list) else [value] for name, value in found.items()}
    return {
        name: [one if isinstance(one, str) else json.dumps(one) for one in values] for name, values in lists.items()
    }
