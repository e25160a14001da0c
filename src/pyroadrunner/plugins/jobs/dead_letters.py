"""Jobs that have failed for good: what the dead letter pipeline gets, and what comes back from it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyroadrunner.plugins.jobs.drivers.contract import ATTEMPTS, FIRST_FAILED, Delivery, Job
from pyroadrunner.plugins.jobs.outcome import Bury

PIPELINE = "rr_dead_pipeline"  # where the job has failed
REASON = "rr_dead_reason"  # max_attempts, rejected
ERROR = "rr_dead_error"  # of the last attempt
TRIES = "rr_dead_attempts"
SINCE = "rr_dead_first_failed"
AT = "rr_dead_at"

_OWN = (PIPELINE, REASON, ERROR, TRIES, SINCE, AT, ATTEMPTS, FIRST_FAILED)
_NOWHERE: dict[str, Any] = {"topic": "", "partition": 0, "offset": 0}  # the place is that of the other pipeline
_LONGEST = 2000  # characters of an error


def timestamp(seconds: float) -> str:
    """A time of the clock for headers, as in RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def buried(delivery: Delivery, pipeline: str, outcome: Bury, now: float) -> Job:
    """The job for the dead letter pipeline, with its history in headers.

    Args:
        pipeline: where it has failed.
    """
    job = delivery.job
    at = timestamp(now)
    first = job.headers.get(FIRST_FAILED, [at])
    headers = {
        **_stripped(job),
        PIPELINE: [pipeline],
        REASON: [outcome.reason],
        ERROR: [outcome.error[:_LONGEST]],
        TRIES: [str(delivery.failed_attempts() + 1)],
        SINCE: list(first),
        AT: [at],
    }
    return replace(job, headers=headers, delay=0, auto_ack=False, **_NOWHERE)


def revived(job: Job) -> Job:
    """A dead letter as it was before its first attempt."""
    return replace(job, headers=_stripped(job), delay=0, **_NOWHERE)


def origin(job: Job) -> str:
    """Name of the pipeline where a dead letter has failed; empty if it does not say."""
    values = job.headers.get(PIPELINE)
    return values[0] if values else ""


def _stripped(job: Job) -> dict[str, list[str]]:
    return {name: list(values) for name, values in job.headers.items() if name not in _OWN}
