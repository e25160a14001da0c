from __future__ import annotations

from datetime import datetime
from time import monotonic

from pyroadrunner.plugins.http.failures import OverloadLog, log_failure
from support.log import logged


def test_a_failure_is_one_line_with_start_elapsed_milliseconds_and_error() -> None:
    with logged("http") as log:
        log_failure("execute", ValueError("boom"), monotonic() - 2.5)
    [(level, message, fields)] = log.lines
    assert (level, message, list(fields)) == ("ERROR", "execute", ["start", "elapsed", "error"])
    assert isinstance(fields["start"], datetime)
    assert fields["start"].tzinfo is not None
    assert isinstance(fields["elapsed"], int)
    assert fields["elapsed"] >= 2500
    assert fields["error"] == "boom"


def test_an_overload_is_said_at_once_and_then_once_a_second_with_its_number() -> None:
    overload = OverloadLog()
    with logged("http") as log:
        for now in (5.0, 5.1, 5.9, 6.0, 6.5, 7.1):
            overload.refused(ValueError("full"), now)
    assert [fields["refused"] for fields in log.of("execute: requests are refused")] == [1, 3, 2]
