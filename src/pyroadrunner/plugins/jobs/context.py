"""A job as its worker gets it: the JSON head of the call. Pure. (jobs.md, section 2.1)"""

from __future__ import annotations

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import Delivery
from pyroadrunner.workers.payload import Codec, Payload

_encode = msgspec.json.Encoder().encode


def payload_of(delivery: Delivery, driver: str) -> Payload:
    """The call for a worker."""
    job = delivery.job
    head: dict[str, object] = {"id": job.id, "job": job.name, "driver": driver, "headers": _headers(job.headers)}
    if delivery.queue is not None:
        head["queue"] = delivery.queue
    head["pipeline"] = job.pipeline
    if delivery.more:
        head.update(delivery.more)
    return Payload(_encode(head), job.payload, Codec.RAW)


def _headers(headers: object) -> object:
    """Without headers ``null``, as in RoadRunner."""
    return headers or None
