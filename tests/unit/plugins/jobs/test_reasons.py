"""Why a job has failed."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.answer import BadAnswer
from pyroadrunner.plugins.jobs.reasons import reason_of
from pyroadrunner.workers.errors import ExecTimeout, WorkerCrashed, WorkerFailed


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerFailed("RuntimeException: no", 7), "RuntimeException: no"),
        (ExecTimeout(7, 1.5), "the job ran longer than exec_ttl (1.5 s), and its worker was killed"),
        (WorkerCrashed(7, "EOF", -9, "", ""), "the worker died: signal SIGKILL"),
        (WorkerCrashed(7, "EOF", 255, "PHP Fatal error\n", ""), "the worker died: exit code 255\nPHP Fatal error"),
        (BadAnswer("no JSON"), "no JSON"),
    ],
)
def test_reasons(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_garbage_on_stdout_is_shown() -> None:
    assert "<b>Warning</b>" in reason_of(WorkerCrashed(7, "x", None, "", "<b>Warning</b>"))
