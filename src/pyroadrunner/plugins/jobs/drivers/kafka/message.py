"""Jobs as Kafka's records, and back. Pure. (jobs.md, section 5.4)

A record is RoadRunner's: the key is the id, the value the payload, and each header of the job is one of the record,
besides ``rr_job``, ``rr_pipeline`` and ``rr_priority``. Additions, which RoadRunner ignores: a header with several
values is repeated, and ``rr_not_before`` has the time before which a delayed job must not run.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job

JOB, PIPELINE, PRIORITY = "rr_job", "rr_pipeline", "rr_priority"
NOT_BEFORE = "rr_not_before"  # milliseconds since 1970
AUTO_ACK = "rr_auto_ack"
_OWN = (JOB, PIPELINE, PRIORITY, NOT_BEFORE, AUTO_ACK)

_INT64 = struct.Struct("<q")

RawHeaders: TypeAlias = list[tuple[str, str | bytes | None]]
"""The names and values, in bytes; the type is the library's."""


@dataclass(slots=True)
class Record:
    """A record that was received.

    Attributes:
        due: seconds since 1970 before which its job must not run; 0 = at once.
        raw: the values of its headers in the bytes that came, for copies.
    """

    job: Job
    key: bytes | None
    due: float = 0.0
    raw: Mapping[str, list[bytes | None]] = field(default_factory=dict)

    def key_of_copy(self) -> bytes:
        return self.job.id.encode() if self.key is None else self.key


def headers_of(job: Job, now: float, received: Record | None = None) -> RawHeaders:
    """The headers of a record.

    Args:
        now: seconds since 1970.
        received: of which the job is a copy: headers that are still the same keep their bytes.
    """
    found: RawHeaders = []
    for name, values in job.headers.items():
        raw = received.raw.get(name) if received else None
        if raw is not None and [_text(value) for value in raw] == list(values):
            found += [(name, value) for value in raw]
        else:
            found += [(name, value.encode()) for value in values]
    found.append((JOB, job.name.encode()))
    found.append((PIPELINE, job.pipeline.encode()))
    found.append((PRIORITY, _INT64.pack(max(-(2**63), min(job.priority, 2**63 - 1)))))
    if job.delay > 0:
        found.append((NOT_BEFORE, str(int((now + job.delay) * 1000)).encode()))
    if job.auto_ack:
        found.append((AUTO_ACK, b"1"))
    return found


def read_record(
    key: bytes | None,
    value: bytes | None,
    headers: Mapping[str, str | bytes | None] | Sequence[tuple[str, str | bytes | None]] | None,
    pipeline: str,
    priority: int,
) -> Record:
    """The job of a record of any program.

    Args:
        pipeline, priority: for a record without one.
    """
    raw: dict[str, list[bytes | None]] = {}
    for name, content in headers.items() if isinstance(headers, Mapping) else headers or ():
        raw.setdefault(name, []).append(content.encode() if isinstance(content, str) else content)
    own = {name: values[-1] or b"" for name in _OWN if (values := raw.pop(name, None)) is not None}
    packed = own.get(PRIORITY, b"")
    due = own.get(NOT_BEFORE, b"")
    job = Job(
        id=_id(key),
        name=_text(own.get(JOB)) or FOREIGN,
        payload=value or b"",
        headers=_texts(raw),
        pipeline=_text(own.get(PIPELINE)) or pipeline,
        priority=(_INT64.unpack(packed)[0] if len(packed) == _INT64.size else 0) or priority,
        auto_ack=own.get(AUTO_ACK) == b"1",
    )
    return Record(job=job, key=key, due=int(due) / 1000 if due.isdigit() and len(due) < 16 else 0.0, raw=raw)


def _id(key: bytes | None) -> str:
    """The id; a new one without a key, or with one that is no text."""
    try:
        return (key or b"").decode() or str(uuid.uuid4())
    except UnicodeDecodeError:
        return str(uuid.uuid4())


def _texts(raw: Mapping[str, list[bytes | None]]) -> Headers:
    return {name: [_text(value) for value in values] for name, values in raw.items()}


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
