from __future__ import annotations

from datetime import datetime
from time import monotonic

from pyroadrunner.plugins.http.error_log import OverloadLog, log_error
from pyroadrunner.workers.errors import ExecTimeout, WorkerFailed
from support.log import logged

GET = {"method": "GET", "path": "/x", "pool": "http"}
THROWN = """RuntimeException: no price in /app/Cart.php:10
Stack trace:
#0 /app/worker.php(9): Cart->price()
#1 {main}"""


def test_an_exception_is_logged_as_its_message_and_its_trace_as_lines() -> None:
    with logged("http") as log:
        log_error("execute", WorkerFailed(THROWN, 42), monotonic(), GET)
    [(_, _, fields)] = log.lines
    assert fields["error"] == "sync_worker_receive_frame: SoftJobError: RuntimeException: no price in /app/Cart.php:10"
    assert fields["trace"] == ["#0 /app/worker.php(9): Cart->price()", "#1 {main}"]
    assert fields["pid"] == 42


def test_a_message_alone_has_no_trace() -> None:
    with logged("http") as log:
        log_error("execute", WorkerFailed("no", 42), monotonic(), GET)
    assert "trace" not in log.lines[0][2]


def test_a_request_that_took_too_long_names_the_limit() -> None:
    with logged("http") as log:
        log_error("execute", ExecTimeout(42, 3.0), monotonic(), GET)
    assert log.lines[0][2].items() >= {"pid": 42, "exec_ttl": 3.0}.items()


def test_a_failure_is_one_line_with_start_elapsed_milliseconds_and_error() -> None:
    with logged("http") as log:
        log_error("execute", ValueError("boom"), monotonic() - 2.5, GET)
    [(level, message, fields)] = log.lines
    assert (level, message, list(fields)) == ("ERROR", "execute", ["start", "elapsed", "error", *GET])
    assert fields.items() >= GET.items()
    assert isinstance(fields["start"], datetime)
    assert fields["start"].tzinfo is not None
    assert isinstance(fields["elapsed"], int)
    assert fields["elapsed"] >= 2500
    assert fields["error"] == "boom"


def test_an_overload_is_logged_immediately_and_then_once_a_second_with_its_number() -> None:
    overload = OverloadLog()
    with logged("http") as log:
        for now in (5.0, 5.1, 5.9, 6.0, 6.5, 7.1):
            overload.refused(ValueError("full"), now)
    assert [fields["refused"] for fields in log.of("execute: requests are refused")] == [1, 3, 2]
