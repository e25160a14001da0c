"""Log lines and counters of calls."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from pyroadrunner.grpcd import StatusCode
from pyroadrunner.plugins.grpc.call_log import CallLog
from pyroadrunner.plugins.grpc.metrics import CallCounters
from support.log import logged

FAILED = "method call was finished with error"


def test_a_failed_call_is_an_error_and_a_good_one_a_debug_line() -> None:
    counters = CallCounters()
    log = CallLog(counters)
    with logged("grpc") as lines:
        log.began()
        assert counters.in_flight == 1
        log.ended("/s/M", 0, "", 0.0125)
        log.ended("/s/N", 5, "missing", 2)
    assert counters.in_flight == -1
    [(level, message, fields), (_, failed, more)] = lines.lines
    assert (level, message) == ("DEBUG", "method was called successfully")
    assert (fields["method"], fields["elapsed"]) == ("/s/M", 12)
    assert fields["start"] <= datetime.now(UTC)
    assert failed == FAILED
    assert (more["error"], more["method"], more["elapsed"]) == (
        "rpc error: code = NotFound desc = missing",
        "/s/N",
        2000,
    )


def test_a_cancelled_call_is_no_error_of_the_server() -> None:
    with logged("grpc") as lines:
        CallLog(CallCounters()).ended("/s/M", StatusCode.CANCELLED, "gone", 1)
    assert [level for level, _, _ in lines.lines] == ["DEBUG"]


def test_a_good_call_costs_nothing_above_the_debug_level() -> None:
    with logged("grpc", logging.INFO) as lines:
        CallLog(CallCounters()).ended("/s/M", 0, "", 1)
    assert lines.lines == []


@pytest.mark.parametrize("code", [StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNAVAILABLE])
def test_refused_calls_share_a_line(code: StatusCode) -> None:
    counters = CallCounters()
    log = CallLog(counters)
    with logged("grpc") as lines:
        for _ in range(100):
            log.ended("/s/M", code, "full", 0)
    assert 1 <= len(lines.of(FAILED)) < 100
