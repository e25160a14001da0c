"""The ring of failures is bounded, and keeps what nothing else does."""

from __future__ import annotations

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Job
from pyroadrunner.plugins.jobs.failures import Failures
from pyroadrunner.plugins.jobs.outcome import ACK, NACK, Bury, Outcome, Redeliver, Requeue


def delivery(number: int = 1, payload: bytes = b"{}") -> Delivery:
    job = Job(id=str(number), name="mail", payload=payload, headers={}, pipeline="driver's", priority=1, delay=0)
    return Delivery(job=job)


def one(outcome: Outcome, payload: bytes = b"{}") -> tuple[str, bool, bool]:
    failures = Failures()
    failures.add(delivery(payload=payload), "mails", "why", outcome, 10.0)
    [kept] = failures
    assert (kept.job.pipeline, kept.error, kept.at, kept.attempts) == ("mails", "why", 10.0, 1)
    return kept.then, kept.lost, kept.whole


def test_it_says_what_became_of_the_job() -> None:
    assert one(Bury("max_attempts", "why")) == ("dead letter", False, True)
    assert one(Redeliver(5)) == ("runs again after 5 s", False, True)
    assert one(Requeue({}, 0)) == ("runs again", False, True)
    assert one(NACK) == ("dropped", True, True)
    assert one(ACK) == ("dropped", True, True)


def test_large_payloads_and_errors_are_cut() -> None:
    assert one(NACK, b"x" * 100_000) == ("dropped", True, False)
    failures = Failures()
    failures.add(delivery(payload=b"x" * 100_000), "mails", "y" * 100_000, NACK, 1.0)
    [kept] = failures
    assert len(kept.job.payload) + len(kept.error) < 10_000


def test_the_newest_fifty_are_kept_and_one_is_taken_once() -> None:
    failures = Failures()
    for number in range(1, 61):
        failures.add(delivery(number), "mails", "why", NACK, float(number))
    assert [kept.number for kept in failures] == list(range(60, 10, -1))
    taken = failures.take(33)
    assert taken is not None
    assert taken.job.id == "33"
    assert failures.take(33) is None
    assert failures.take(1) is None
