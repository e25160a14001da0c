"""What becomes of a job after its run. Pure.

A failure is what keeps a job from its end: the worker died, took too long, sent an error or an answer that can't be
understood, or asked for another try with ``fail(requeue)`` or ``nack(redelivery)``. Failures count as attempts. A
``requeue()`` is a wish, not a failure. ``fail()`` and ``nack()`` without another try end the job.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pyroadrunner.plugins.jobs.answer import Answer, Kind
from pyroadrunner.plugins.jobs.drivers.contract import ATTEMPTS, Delivery, Headers


@dataclass(frozen=True, slots=True)
class Ack:
    """Delete it: it is done, or given up by its worker."""


@dataclass(frozen=True, slots=True)
class Nack:
    """Delete it as failed."""


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Deliver it again after ``delay`` seconds, as one more attempt."""

    delay: int


@dataclass(frozen=True, slots=True)
class Requeue:
    """Push a copy, delete the original."""

    headers: Headers = field(default_factory=dict)
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Bury:
    """Move it to the dead letter pipeline."""

    reason: str
    error: str


Outcome = Ack | Nack | Redeliver | Requeue | Bury
ACK = Ack()
NACK = Nack()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of a pipeline.

    Attributes:
        initial, longest: seconds of the backoff.
        buries: whether there is a dead letter pipeline.
        broker_buries: whether the broker itself keeps nacked jobs.
    """

    max_attempts: int = 0
    initial: float = 1.0
    longest: float = 300.0
    buries: bool = False
    broker_buries: bool = False

    def backoff(self, attempts: int) -> int:
        """Seconds before the next try, after this many failed ones."""
        return math.ceil(min(self.longest, self.initial * 2.0 ** min(attempts - 1, 60)))


def after_answer(answer: Answer, delivery: Delivery, policy: Policy) -> Outcome:
    """The outcome of a job whose worker has answered."""
    if answer.kind is Kind.REQUEUE:
        return Requeue(answer.headers, answer.delay)
    if answer.kind not in (Kind.ERROR, Kind.NACK):
        return ACK
    error = answer.message or "the worker gave no message"
    if not answer.again:
        if policy.buries:
            return Bury("rejected", error)
        return ACK if answer.kind is Kind.ERROR else NACK
    if delivery.job.auto_ack:
        return Requeue(answer.headers, answer.delay) if answer.kind is Kind.ERROR else ACK
    if (end := _end_of_attempts(delivery, policy, error)) is not None:
        return end
    if answer.kind is Kind.NACK:
        return Redeliver(answer.delay)
    counted = {ATTEMPTS: [str(delivery.failed_attempts() + 1)]} if policy.max_attempts else {}
    return Requeue({**answer.headers, **counted}, answer.delay)


def after_failure(error: str, delivery: Delivery, policy: Policy) -> Outcome:
    """The outcome of a job whose worker has not answered properly."""
    if delivery.job.auto_ack:
        return Bury("failed after auto_ack", error) if policy.buries else ACK
    if (end := _end_of_attempts(delivery, policy, error)) is not None:
        return end
    if policy.broker_buries and not policy.max_attempts:
        return NACK
    return Redeliver(policy.backoff(delivery.failed_attempts() + 1))


def _end_of_attempts(delivery: Delivery, policy: Policy, error: str) -> Outcome | None:
    if not policy.max_attempts or delivery.failed_attempts() + 1 < policy.max_attempts:
        return None
    return Bury("max_attempts", error) if policy.buries else NACK
