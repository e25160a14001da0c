"""The next step for errors that do not name one."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.advice import advised


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("rpc: can't find service schedule.List", "its config has no section `schedule`"),
        ("rpc: can't find method informer.KillWorker", "it is older than this rr"),
        ("the server at tcp://127.0.0.1:6001 closed the connection", "try again"),
        ("tcp://127.0.0.1:6001 is not the RPC of a RoadRunner server: not a frame", "another program listens there"),
        ("the connection to tcp://127.0.0.1:6001 was lost: broken pipe", "try again"),
        ("the server at tcp://127.0.0.1:6001 did not answer within 10 s", "see its log, and rr top"),
    ],
)
def test_an_error_gets_the_next_step(text: str, advice: str) -> None:
    first, second = advised(text).split("\n")
    assert first == text
    assert advice in second


@pytest.mark.parametrize("text", ["no such plugin: htp; the server has: http", "rpc: can't find service jobs.X\nhint"])
def test_an_error_that_has_one_stays_as_it_is(text: str) -> None:
    assert advised(text) == text


def test_a_worker_that_does_not_start_is_a_case_for_the_doctor() -> None:
    text = 'error: http: WorkerAllocate: exec: "phpx": executable file not found in $PATH\n  command: phpx worker.php'
    assert advised(text) == f"{text}\nrr doctor checks the command, PHP, its extensions, and starts a worker"
