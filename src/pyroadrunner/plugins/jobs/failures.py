"""The last failures, for the dashboard: what failed, and for jobs that nothing else keeps the job itself. Bounded by
number and by bytes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Job
from pyroadrunner.plugins.jobs.outcome import Ack, Bury, Nack, Outcome, Redeliver, Requeue

_MOST = 50
_LARGEST = 64 << 10  # bytes of a payload that is kept
_EXCERPT = 4096  # bytes of a larger one
_LONGEST = 2000  # characters of an error


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed run.

    Attributes:
        number: unique in this server.
        at: Unix time.
        attempts: failed ones, this one included.
        then: what became of the job.
        lost: whether nothing keeps the job any more but this.
        whole: whether the payload is complete.
    """

    number: int
    at: float
    job: Job
    error: str
    attempts: int
    then: str
    lost: bool
    whole: bool


class Failures:
    """The last 50 failures."""

    def __init__(self) -> None:
        self._found: deque[Failure] = deque(maxlen=_MOST)
        self._number = 0

    def __repr__(self) -> str:
        return f"Failures({len(self._found)})"

    def __iter__(self) -> Iterator[Failure]:
        """Newest first."""
        return iter(reversed(list(self._found)))

    def add(self, delivery: Delivery, pipeline: str, error: str, outcome: Outcome, now: float) -> None:
        """Keep a failure; the oldest one gives way."""
        self._number += 1
        job = replace(delivery.job, pipeline=pipeline)
        whole = len(job.payload) <= _LARGEST
        self._found.append(
            Failure(
                number=self._number,
                at=now,
                job=job if whole else replace(job, payload=bytes(job.payload[:_EXCERPT])),
                error=error[:_LONGEST],
                attempts=delivery.failed_attempts() + 1,
                then=_told(outcome),
                lost=isinstance(outcome, Ack | Nack),
                whole=whole,
            )
        )

    def take(self, number: int) -> Failure | None:
        """Remove a failure, to run its job again."""
        for failure in self._found:
            if failure.number == number:
                self._found.remove(failure)
                return failure
        return None


def _told(outcome: Outcome) -> str:
    match outcome:
        case Bury():
            return "dead letter"
        case Redeliver(delay) | Requeue(_, delay):
            return f"runs again after {delay} s" if delay else "runs again"
        case _:
            return "dropped"
