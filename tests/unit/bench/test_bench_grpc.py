"""The output of h2load, and the targets of gRPC."""

from __future__ import annotations

import pytest
from bench.grpc import OURS, Sample, checks_of, framed, middle, row
from bench.h2load import H2loadFailed, Load, parse

OUTPUT = """
finished in 3.00s, 19112.67 req/s, 803.07KB/s
requests: 57338 total, 57402 started, 57338 done, 57330 succeeded, 8 failed, 1 errored, 2 timeout
status codes: 57338 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 2.35MB (2467096) total, 111.99KB (114676) headers (space savings 94.74%), 671.93KB (688056) data
                     min         max         mean         sd        +/- sd
time for request:      307us     44.04ms      2.61ms      3.77ms    90.11%
time for connect:       65us        90us        78us        18us   100.00%
"""


def test_the_output_of_h2load_is_read() -> None:
    assert parse(OUTPUT) == Load(seconds=3.0, requests=57330, errors=11, data_bytes=688056, mean_ms=2.61)
    assert parse(OUTPUT.replace("3.00s,", "500.00ms,").replace("2.61ms", "850us")).mean_ms == 0.85


@pytest.mark.parametrize("text", ["", "-D: value error", OUTPUT.replace("3.00s,", "0.00s,")])
def test_output_without_a_result_is_a_failure(text: str) -> None:
    with pytest.raises(H2loadFailed):
        parse(text)


def sample(calls: float, server_us: float = 10, errors: float = 0) -> Sample:
    return Sample(calls=calls, mean_ms=1, server_us=server_us, messages=calls, mb=2, errors=errors)


def test_the_targets_are_ratios() -> None:
    samples = {("unary", OURS): sample(1300), ("unary", "other"): sample(1000, 20)}
    measured = {check.what: (check.measured, check.holds) for check in checks_of(samples, "other")}
    assert measured == {
        "unary: calls/s of RoadRunner's": (1.3, True),
        "unary: server CPU of RoadRunner's": (0.5, True),
        "calls that failed": (0, True),
    }


def test_rounds_are_summed_up_and_shown() -> None:
    found = middle([sample(1, errors=1), sample(3), sample(2, errors=2)])
    assert (found.calls, found.errors) == (2, 3)
    assert row("unary", "x", found)[-3:] == ("", "", "3")
    assert row("streamed response", "x", found)[-3:] == ("2", "2", "3")


def test_a_message_is_framed() -> None:
    assert framed(b"abc") == b"\0\0\0\0\x03abc"
