"""What wrk's scripts report becomes figures, and an empty run is never a good one."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from bench.loads import BROWSER, SERIAL
from bench.wrk import Statuses, WrkFailed, command, parse_report, statuses, traffic

REPORT = {
    "requests": 1000,
    "seconds": 2.0,
    "p50_ms": 1.5,
    "p99_ms": 4.0,
    "bytes": 99,
    "bad_status": 3,
    "connect": 1,
    "read": 2,
    "write": 0,
    "timeout": 4,
}


def test_the_report_is_found_among_what_wrk_prints() -> None:
    output = "Running 2s test\n  1 threads\nbench: " + json.dumps(REPORT) + "\n"
    assert parse_report(output) == REPORT


def test_output_without_a_report_is_an_error_with_that_output() -> None:
    with pytest.raises(WrkFailed, match="unable to connect"):
        parse_report("unable to connect to 127.0.0.1")
    with pytest.raises(WrkFailed, match="printed nothing"):
        parse_report("")


def test_rate_and_errors_are_counted_from_the_report() -> None:
    seen = traffic(dict(REPORT))
    assert seen.rate == 500
    assert seen.errors == 3 + 1 + 2 + 0 + 4
    assert (seen.p50_ms, seen.p99_ms) == (1.5, 4.0)


def test_latency_is_infinite_when_nothing_was_answered() -> None:
    seen = traffic({**REPORT, "requests": 0, "p50_ms": 0.0, "p99_ms": 0.0})
    assert seen.p50_ms == math.inf
    assert seen.p99_ms == math.inf
    assert seen.rate == 0


def test_statuses_tell_refused_from_not_answered() -> None:
    counts = {"ok": 5, "overloaded": 7, "other": 1, "connect": 1, "read": 2, "write": 3, "timeout": 4}
    seen = statuses({**counts, "p99_ms": 3.5})
    assert seen == Statuses(**counts, p99_ms=3.5)
    assert seen.unanswered == 10


def test_the_size_of_a_post_reaches_the_script() -> None:
    line = command("load.lua", 8080, "/post", connections=32, seconds=4, post_bytes=1024)
    assert line[-4:] == ["http://127.0.0.1:8080/post", "--", "1024", SERIAL]
    assert line[line.index("-d") + 1] == "4s"


def test_the_headers_of_a_load_reach_wrk_and_are_written_before_the_url() -> None:
    line = command("load.lua", 8080, "/browser", connections=32, seconds=4, headers=BROWSER.sent_headers)
    given = [value for option, value in pairwise(line) if option == "-H"]
    assert given == [f"{name}: {value}" for name, value in BROWSER.sent_headers]
    assert line[-4:] == ["http://127.0.0.1:8080/browser", "--", "0", SERIAL]
