"""Messages of `jobs`, made and read. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.proto.jobs.v1 import jobs_pb2 as pb

HeaderValues = str | Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to push.

    Attributes:
        name: what handles it.
        payload: text is sent as UTF-8.
        delay: seconds before it may run.
        priority: lower numbers run first; 0 = the pipeline's.
        auto_ack: acknowledged before it runs: it never runs twice, and is lost when its worker dies.
        id: a random one unless given.
    """

    name: str
    payload: bytes | str = b""
    headers: Mapping[str, HeaderValues] = field(default_factory=dict)
    delay: int = 0
    priority: int = 0
    auto_ack: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStat:
    """The state of a pipeline.

    Attributes:
        active, delayed, reserved: numbers of jobs, as the broker counts them.
        ready: whether its jobs are being received.
        state: ``connecting``, ``ready``, ``paused`` or ``failed``.
        error_message: what is wrong; empty = nothing.
    """

    pipeline: str
    driver: str
    queue: str
    active: int
    delayed: int
    reserved: int
    ready: bool
    priority: int
    state: str
    error_message: str


def push(pipeline: str, job: NewJob) -> pb.PushRequest:
    return pb.PushRequest(job=_job(pipeline, job))


def push_many(pipeline: str, jobs: Iterable[NewJob]) -> pb.PushBatchRequest:
    return pb.PushBatchRequest(jobs=[_job(pipeline, job) for job in jobs])


def declare(pipeline: str, driver: str, options: Mapping[str, Any]) -> pb.DeclareRequest:
    """All values are texts: numbers decimal, bools ``true`` or ``false``, maps and lists JSON."""
    values = {"name": pipeline, "driver": driver, **options}
    return pb.DeclareRequest(pipeline={key: _text(value) for key, value in values.items()})


def pipelines(names: Iterable[str]) -> pb.Pipelines:
    return pb.Pipelines(pipelines=names)


def stats(reply: pb.Stats) -> list[PipelineStat]:
    return [
        PipelineStat(
            pipeline=one.pipeline,
            driver=one.driver,
            queue=one.queue,
            active=one.active,
            delayed=one.delayed,
            reserved=one.reserved,
            ready=one.ready,
            priority=one.priority,
            state=one.state,
            error_message=one.error_message,
        )
        for one in reply.stats
    ]


def _job(pipeline: str, job: NewJob) -> pb.Job:
    return pb.Job(
        job=job.name,
        id=job.id,
        payload=job.payload.encode() if isinstance(job.payload, str) else job.payload,
        headers={
            name: pb.HeaderValue(value=[values] if isinstance(values, str) else values)
            for name, values in job.headers.items()
        },
        options=pb.Options(priority=job.priority, pipeline=pipeline, delay=job.delay, auto_ack=job.auto_ack),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
