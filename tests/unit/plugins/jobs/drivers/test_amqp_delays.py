"""Counting delayed jobs, with a clock of the test."""

from __future__ import annotations

from pyroadrunner.plugins.jobs.drivers.amqp.delays import Delays


def test_jobs_count_until_their_delay_is_over() -> None:
    now = 100.4
    delays = Delays(lambda: now)
    for delay in (1, 1, 5):
        delays.add(delay)
    assert delays.count() == 3
    now = 102.0
    assert delays.count() == 1
    now = 106.0
    assert delays.count() == 0


def test_seconds_that_have_passed_are_forgotten() -> None:
    now = 0.0
    delays = Delays(lambda: now)
    for _ in range(10_000):
        delays.add(1)
        now += 1.0
    assert len(delays._due) <= 1_100
