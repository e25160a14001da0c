"""What becomes of a job, for each answer and failure."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.jobs.answer import Answer, Kind
from pyroadrunner.plugins.jobs.drivers.contract import ATTEMPTS, Delivery, Job
from pyroadrunner.plugins.jobs.outcome import (
    ACK,
    NACK,
    Bury,
    Outcome,
    Policy,
    Redeliver,
    Requeue,
    after_answer,
    after_failure,
)

DONE = Answer(kind=Kind.DONE)
FAIL = Answer(kind=Kind.ERROR, message="no")
FAIL_AGAIN = Answer(kind=Kind.ERROR, message="no", again=True, delay=4, headers={"a": ["1"]})
NACKED = Answer(kind=Kind.NACK, message="no")
NACK_AGAIN = Answer(kind=Kind.NACK, message="no", again=True, delay=4)
WANTED = Answer(kind=Kind.REQUEUE, again=True, delay=4, headers={"a": ["1"]})

NO_LIMIT = Policy()
THREE = Policy(max_attempts=3)
BURIES = Policy(max_attempts=3, buries=True)


def delivery(failed: int = 0, *, auto_ack: bool = False, earlier: int = 0) -> Delivery:
    headers = {ATTEMPTS: [str(failed)]} if failed else {}
    return Delivery(job=Job(id="1", name="J", payload=b"", headers=headers, auto_ack=auto_ack), earlier=earlier)


@pytest.mark.parametrize(
    ("answer", "failed", "policy", "outcome"),
    [
        (DONE, 0, NO_LIMIT, ACK),
        (Answer(kind=None, number=9), 0, NO_LIMIT, ACK),
        (FAIL, 0, NO_LIMIT, ACK),
        (FAIL, 0, BURIES, Bury("rejected", "no")),
        (NACKED, 0, NO_LIMIT, NACK),
        (NACKED, 0, THREE, NACK),
        (NACKED, 0, BURIES, Bury("rejected", "no")),
        (WANTED, 9, BURIES, Requeue({"a": ["1"]}, 4)),
        (FAIL_AGAIN, 0, NO_LIMIT, Requeue({"a": ["1"]}, 4)),
        (FAIL_AGAIN, 0, THREE, Requeue({"a": ["1"], ATTEMPTS: ["1"]}, 4)),
        (FAIL_AGAIN, 1, THREE, Requeue({"a": ["1"], ATTEMPTS: ["2"]}, 4)),
        (FAIL_AGAIN, 2, THREE, NACK),
        (FAIL_AGAIN, 2, BURIES, Bury("max_attempts", "no")),
        (NACK_AGAIN, 0, NO_LIMIT, Redeliver(4)),
        (NACK_AGAIN, 1, THREE, Redeliver(4)),
        (NACK_AGAIN, 2, BURIES, Bury("max_attempts", "no")),
    ],
)
def test_answers(answer: Answer, failed: int, policy: Policy, outcome: Outcome) -> None:
    assert after_answer(answer, delivery(failed), policy) == outcome


@pytest.mark.parametrize(
    ("failed", "policy", "outcome"),
    [
        (0, NO_LIMIT, Redeliver(1)),
        (1, NO_LIMIT, Redeliver(2)),
        (5, NO_LIMIT, Redeliver(32)),
        (10_000, NO_LIMIT, Redeliver(300)),
        (0, Policy(initial=0.2), Redeliver(1)),
        (0, Policy(initial=0.0), Redeliver(0)),
        (1, THREE, Redeliver(2)),
        (2, THREE, NACK),
        (2, BURIES, Bury("max_attempts", "crash")),
        (0, Policy(max_attempts=1), NACK),
        (0, Policy(broker_buries=True), NACK),
        (0, Policy(broker_buries=True, max_attempts=3), Redeliver(1)),
    ],
)
def test_failures_run_again_later_and_later_until_the_attempts_are_over(
    failed: int, policy: Policy, outcome: Outcome
) -> None:
    assert after_failure("crash", delivery(failed), policy) == outcome


def test_the_count_of_the_broker_counts_too() -> None:
    assert after_failure("crash", delivery(earlier=2), BURIES) == Bury("max_attempts", "crash")


@pytest.mark.parametrize(
    ("answer", "outcome"), [(DONE, ACK), (WANTED, Requeue({"a": ["1"]}, 4)), (NACK_AGAIN, ACK)], ids=str
)
def test_an_auto_ack_job_is_only_run_again_when_its_worker_asks_for_a_copy(answer: Answer, outcome: Any) -> None:
    assert after_answer(answer, delivery(auto_ack=True), THREE) == outcome


def test_an_auto_ack_job_that_fails_is_gone_or_buried() -> None:
    assert after_failure("crash", delivery(auto_ack=True), THREE) == ACK
    assert after_failure("crash", delivery(auto_ack=True), BURIES) == Bury("failed after auto_ack", "crash")
