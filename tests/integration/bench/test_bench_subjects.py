"""The real subjects of the bench give the expected answer to every load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bench import bare, job_server, rr, websocket
from bench.broker import Broker
from bench.client import NotUp, ask, check
from bench.jobs import workers_alone
from bench.loads import BOOT, LOADS

from support.php import require_php

php = pytest.mark.usefixtures("php_worker")


@pytest.fixture
def php_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench runs ``php``: put its folder in front."""
    monkeypatch.setenv("PATH", f"{Path(require_php()).parent}{os.pathsep}{os.environ['PATH']}")


@php
def test_the_server_answers_every_load_and_boots_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(rr.RR[0]).parent)
    with rr.serving(("./rr",)) as subject:
        for load in LOADS:
            check(subject.port, load, subject.title)
        again = [ask(subject.port, BOOT.path).body for _ in range(5)]
    assert set(again) == {BOOT.answer}


@php
def test_the_bare_workers_answer_every_load() -> None:
    with bare.workers() as workers:
        for worker in workers:
            for load in LOADS:
                bare.check(worker, load)


@php
@pytest.mark.parametrize("workers", ["PHP", "Python"])
def test_a_round_of_jobs_runs_all_of_them(workers: str) -> None:
    with job_server.serving(rr.RR, "pyroadrunner", "memory", workers, Broker(), "test") as server:
        sample = server.round(0.2)
    assert sample.not_run == 0
    assert min(sample.pushes, sample.push_p99_us, sample.jobs, sample.wait_p99_ms) > 0


@php
def test_a_client_whose_push_fails_says_why() -> None:
    with (
        job_server.serving(rr.RR, "pyroadrunner", "memory", "PHP", Broker(), "test") as server,
        pytest.raises(job_server.PushFailed, match="no-such-pipeline"),
    ):
        server.push("no-such-pipeline", 1, 1)


@php
def test_bare_workers_run_jobs() -> None:
    assert workers_alone(0.1) > 0


def test_a_command_that_does_not_exist_is_an_error_with_its_name() -> None:
    with pytest.raises(NotUp, match="no-such-command"), rr.serving(("no-such-command",)):
        pass


@php
def test_sockets_get_publications_and_answers() -> None:
    with websocket.serving(rr.RR, workers=False) as server:
        found = websocket.fan_out(server, 20)
    assert found.slowest_ms >= found.last_ms > 0
    with websocket.serving(rr.RR, workers=True) as server:
        sample = websocket.echoes(server, 4, 1.0)
    assert sample.echoes > 0
    assert sample.wrong == 0
