"""The exact texts that clients see and match, and the data of the errors."""

from __future__ import annotations

import signal

import pytest

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.workers.errors import (
    BadReply,
    EmptyPayload,
    ExecTimeout,
    NoFreeWorker,
    PoolClosed,
    PoolError,
    QueueFull,
    TooManyWorkers,
    WorkerCrashed,
    WorkerError,
    WorkerFailed,
    WorkerRefused,
    WorkerStartError,
    describe_exit,
    no_hello,
)

TEXTS: list[tuple[PoolError, str]] = [
    (
        NoFreeWorker("http", 60.013),
        "static_pool_exec: NoFreeWorkers:\n\tstatic_pool_exec: no worker of the pool http became free within "
        "allocate_timeout (waited 1m)",
    ),
    (QueueFull("http", 10), "static_pool_exec: QueueSize: max queue size reached"),
    (EmptyPayload(), "static_pool_exec: payload can not be empty"),
    (
        PoolClosed("http"),
        "static_pool_exec: Workers watcher stopped:\n\tstatic_pool_exec:\n\tworker_watcher_get_free_worker",
    ),
    (TooManyWorkers(), "WorkerAllocate: container is full, maximum number of workers reached"),
    (WorkerFailed("boom", 7), "sync_worker_receive_frame: SoftJobError: boom"),
    (WorkerCrashed(7, "EOF", 1, "", ""), "sync_worker_receive_frame: Network: EOF"),
    (WorkerCrashed(7, "unexpected EOF", 1, "", ""), "sync_worker_receive_frame: Network: unexpected EOF"),
    (
        WorkerCrashed(7, "not a frame", None, "", "Warning: it rains"),
        "sync_worker_receive_frame: Network:\n\tgoridge_frame_receive: validation failed on the message sent to "
        "STDOUT, see: https://docs.roadrunner.dev/error-codes/stdout-crc, invalid message: Warning: it rains",
    ),
    (ExecTimeout(7, 1.5), "worker_exec_with_timeout: ExecTTL: context deadline exceeded"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_the_text_begins_as_roadrunners_does(error: PoolError, text: str) -> None:
    assert str(error) == text


def test_the_reason_of_a_silent_worker_names_the_limit() -> None:
    assert no_hello(2.5) == (
        "failed to spawn a worker, possible reasons: https://docs.roadrunner.dev/error-codes/allocate-timeout; "
        "it did not answer within allocate_timeout (2.5s)"
    )


@pytest.mark.parametrize("error", [error for error, _ in TEXTS], ids=lambda error: type(error).__name__)
def test_every_error_is_a_roadrunner_error(error: PoolError) -> None:
    assert isinstance(error, RoadRunnerError)


@pytest.mark.parametrize(
    "error", [WorkerFailed("x", 7), WorkerCrashed(7, "EOF", 0, "", ""), ExecTimeout(7, 1.0), BadReply("x", 7)]
)
def test_an_error_of_a_worker_names_it(error: WorkerError) -> None:
    assert error.pid == 7


def test_a_full_a_busy_and_a_stopping_pool_ask_for_a_retry_and_others_do_not() -> None:
    again = {type(error) for error, _ in TEXTS if error.retry_after is not None}
    assert again == {NoFreeWorker, QueueFull, PoolClosed}


def test_errors_have_their_data_as_attributes() -> None:
    queue = QueueFull("http.slow", 10)
    assert (queue.pool, queue.limit) == ("http.slow", 10)
    assert NoFreeWorker("http", 60.0).waited == 60.0
    assert ExecTimeout(7, 1.5).limit == 1.5
    assert WorkerFailed("boom", 7).text == "boom"
    assert WorkerRefused(3).attempts == 3
    crash = WorkerCrashed(7, "EOF", -9, "last line", "dump")
    assert (crash.exit_status, crash.stderr, crash.garbage) == (-9, "last line", "dump")


def test_a_failed_start_names_command_exit_status_and_stderr() -> None:
    error = WorkerStartError(["php", "worker.php"], "EOF", 255, "PHP Fatal error\n  in worker.php\n")
    assert str(error) == (
        "WorkerAllocate: EOF\n"
        "  command: php worker.php\n"
        "  ended:   exit code 255\n"
        "  stderr:  PHP Fatal error\n"
        "             in worker.php"
    )
    assert (error.command, error.reason, error.exit_status) == (["php", "worker.php"], "EOF", 255)


def test_a_failed_start_without_exit_status_and_stderr_omits_them() -> None:
    error = WorkerStartError(["phpx"], 'exec: "phpx": executable file not found in $PATH')
    assert str(error) == 'WorkerAllocate: exec: "phpx": executable file not found in $PATH\n  command: phpx'


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit code 0"),
        (255, "exit code 255"),
        (-signal.SIGKILL, "signal SIGKILL"),
        (-signal.SIGSEGV, "signal SIGSEGV"),
        (-99, "signal 99"),
        (None, "still running"),
    ],
)
def test_an_exit_status_is_described(status: int | None, words: str) -> None:
    assert describe_exit(status) == words
