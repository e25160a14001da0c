"""Figures of jobs: from the notes of the workers to the rows and checks of the report."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from bench import kafka
from bench.broker import NotMeasured, installed
from bench.brokers import BROKERS, DRIVERS
from bench.client_loops import rate, sqlite
from bench.job_samples import HEADINGS, JobSample, Run, job_checks, job_rate, limit_row, middle, read_runs, row
from bench.job_samples import wait_p99_ms as wait
from bench.jobs import Measured, arguments, chosen, report

from pyroadrunner.plugins.jobs.installed import installed_drivers

SECOND = 1_000_000_000
BESIDE = "RoadRunner 1"


def figures(jobs: float, *, not_run: float = 0) -> JobSample:
    return JobSample(pushes=5000, push_p99_us=80, jobs=jobs, wait_p99_ms=1.5, server_us=20.0, not_run=not_run)


def test_runs_of_earlier_rounds_and_an_entry_that_is_not_whole_are_left_out() -> None:
    noted = struct.pack("<4Q", 1, 2, 10, 12) + b"\0\0\0"
    assert read_runs(noted, 5) == [Run(pushed=10, began=12)]


def test_the_rate_is_from_the_first_push_to_the_last_run_whatever_their_order() -> None:
    runs = [Run(pushed=SECOND, began=3 * SECOND), Run(pushed=2 * SECOND, began=2 * SECOND)]
    assert job_rate(runs) == 1.0
    assert job_rate([]) == 0.0


def test_the_wait_is_that_of_the_slowest_hundredth_and_infinite_if_nothing_ran() -> None:
    runs = [Run(pushed=0, began=wait_ms * 1_000_000) for wait_ms in range(100)]
    assert wait(runs) == 99.0
    assert wait([]) == math.inf


def test_rounds_become_their_median_but_every_job_that_did_not_run_stays() -> None:
    found = middle([figures(100), figures(300, not_run=2), figures(200)])
    assert (found.jobs, found.not_run) == (200, 2)


def test_a_row_has_a_cell_for_each_heading() -> None:
    assert len(row(("memory", "PHP", "pyroadrunner"), figures(1234.5))) == len(HEADINGS)
    assert limit_row("redis", "its client alone", 0, 10) == ("redis", "", "its client alone", "", "", "10", "", "", "")


def test_the_server_beside_must_not_be_faster_with_its_own_drivers_and_php() -> None:
    samples = {
        (driver, workers, subject): figures(jobs)
        for driver in ("memory", "kafka")
        for workers in ("PHP", "Python")
        for subject, jobs in (("pyroadrunner", 900), (BESIDE, 1000))
    }
    verdicts = {check.what: check.verdict for check in job_checks(samples, BESIDE)}
    assert verdicts == {
        "jobs/s of memory, PHP workers, to RoadRunner 1": "NO",
        "jobs/s of memory, Python workers, to RoadRunner 1": "",
        "jobs/s of kafka, PHP workers, to RoadRunner 1": "",
        "jobs/s of kafka, Python workers, to RoadRunner 1": "",
        "jobs that did not run": "yes",
    }


def test_a_local_file_has_a_target_of_its_own_and_only_our_lost_jobs_count() -> None:
    samples = {
        ("boltdb", "PHP", "pyroadrunner"): figures(1000, not_run=1),
        ("boltdb", "PHP", BESIDE): figures(0, not_run=50),
    }
    checks = {check.what: check for check in job_checks(samples, BESIDE)}
    assert checks["jobs/s of boltdb"].holds
    assert checks["jobs that did not run"].measured == 1
    assert len(checks) == 2


def test_brokers_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="no-such-broker is not installed"):
        installed("/usr/bin/no-such-broker")
    monkeypatch.setattr(kafka, "HOME", tmp_path)
    monkeypatch.setattr(kafka, "installed", lambda name: name)
    with pytest.raises(NotMeasured, match="scripts/kafka"):
        Measured().driver("kafka", {}, [], 1.0, 1)


def test_every_driver_is_measured() -> None:
    assert {*DRIVERS, "google_pub_sub"} == set(installed_drivers())


def test_a_driver_that_is_not_installed_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BROKERS, "pigeon", BROKERS["memory"])
    with pytest.raises(NotMeasured, match="the driver is not installed"):
        Measured().driver("pigeon", {}, [], 1.0, 1)


def test_drivers_are_chosen_by_name_in_their_own_order() -> None:
    assert chosen("redis,memory", ("memory", "sql", "redis")) == ["memory", "redis"]
    assert chosen("", ("memory", "sql")) == ["memory", "sql"]
    with pytest.raises(SystemExit, match="no such name: redid; there are memory"):
        chosen("redid", ("memory",))


def test_the_report_has_the_rows_the_server_beside_and_what_was_not_measured() -> None:
    found = Measured()
    found.rows = [row(("memory", "PHP", "pyroadrunner"), figures(12345))]
    found.missing = ["amqp: rabbitmq-server is not installed"]
    text = report(arguments([]), found, job_checks({}, BESIDE), BESIDE)
    assert "| memory | PHP | pyroadrunner | 5,000 | 80 | 12,345 | 1.5 | 20.0 | 0 |" in text
    assert "RoadRunner 1 ran in the same rounds" in text
    assert "Not measured: amqp: rabbitmq-server is not installed." in text


def test_a_loop_ends_when_it_has_nothing_left() -> None:
    left = iter([True, True, False])
    assert rate(lambda: next(left), 60) > 0
    assert rate(lambda: False, 60) == 0.0


def test_the_loop_of_sqlite_consumes_what_it_has_pushed(tmp_path: Path) -> None:
    found = sqlite(str(tmp_path / "loop.db"), 0.05)
    assert found.pushes > 0
    assert found.jobs > 0
