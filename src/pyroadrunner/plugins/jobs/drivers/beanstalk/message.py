"""The body of a job on beanstalkd: RoadRunner's struct ``Item`` in Go's gob encoding. Pure.

RoadRunner's struct has no headers. A job with headers has one more field, ``Hdrs`` with JSON, which RoadRunner ignores;
a job without them is byte for byte what RoadRunner writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from pyroadrunner.plugins.jobs.drivers.beanstalk.gob import (
    BOOL,
    BYTES,
    INT,
    STRING,
    GobError,
    fields,
    message,
    read_struct,
    signed,
    struct_definition,
    text,
)
from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, Headers, Job

_ITEM, _OPTIONS = 64, 65
_MEMBERS = {"Job": STRING, "Ident": STRING, "Payload": BYTES, "Options": _OPTIONS}
_HEADERS = "Hdrs"
_OPTION_MEMBERS = {"Priority": INT, "Pipeline": STRING, "Delay": INT, "AutoAck": BOOL, "Queue": STRING}


def _definitions(members: Mapping[str, int]) -> bytes:
    return struct_definition(_ITEM, "Item", members) + struct_definition(_OPTIONS, "Options", _OPTION_MEMBERS)


PLAIN = _definitions(_MEMBERS)
WITH_HEADERS = _definitions({**_MEMBERS, _HEADERS: BYTES})


def body_of(job: Job) -> bytes:
    """The body for a job."""
    options = fields(
        [
            signed(job.priority) if job.priority else None,
            _optional(job.pipeline.encode()),
            signed(job.delay) if job.delay else None,
            b"\x01" if job.auto_ack else None,
            None,
        ]
    )
    values = [_optional(job.name.encode()), _optional(job.id.encode()), _optional(job.payload), options]
    if not job.headers:
        return PLAIN + message(_ITEM, fields(values))
    return WITH_HEADERS + message(_ITEM, fields([*values, text(msgspec.json.encode(job.headers))]))


def job_of(body: bytes, pipeline: str, priority: int) -> Job:
    """The job of a body. A body that RoadRunner can't read either is the payload of a job with a new id.

    Args:
        pipeline, priority: for a job that does not tell.
    """
    try:
        item = read_struct(body)
        if not item.keys() & _MEMBERS.keys():
            raise GobError("it is another struct")
        options = _typed(item, "Options", dict)
        return Job(
            id=_typed(item, "Ident", str),
            name=_typed(item, "Job", str),
            payload=_typed(item, "Payload", bytes),
            headers=_headers(_typed(item, _HEADERS, bytes)),
            pipeline=_typed(options, "Pipeline", str) or pipeline,
            priority=_typed(options, "Priority", int) or priority,
            delay=_typed(options, "Delay", int),
            auto_ack=_typed(options, "AutoAck", bool),
        )
    except GobError:
        return Job(id=str(uuid4()), name=FOREIGN, payload=body, pipeline=pipeline, priority=priority)


def _optional(value: bytes) -> bytes | None:
    return text(value) if value else None


def _typed(values: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    found = values.get(name, kind())
    if type(found) is not kind:
        raise GobError(f"the field {name} has another type")
    return found


def _headers(data: bytes) -> Headers:
    """Headers from JSON; if another program has a field of this name, they are empty."""
    try:
        return msgspec.json.decode(data, type=dict[str, list[str]]) if data else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
