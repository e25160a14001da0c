"""Figures of WebSocket connections: the rows and checks of the report."""

from __future__ import annotations

from bench.tcp_samples import EchoSample
from bench.websocket import ECHO_HEADINGS, arguments, checks_of, echo_row, report
from bench.websocket_samples import BARE, FAN_OUT_HEADINGS, OURS, FanOut, middle, row


def figures(last_ms: float, *, slowest_ms: float = 40.0, socket_kb: float = 9.0) -> FanOut:
    return FanOut(socket_kb=socket_kb, last_ms=last_ms, slowest_ms=slowest_ms, server_us=9.5)


def echoes(rate: float, *, wrong: float = 0) -> EchoSample:
    return EchoSample(echoes=rate, p99_us=800.0, server_us=30.0, rss_mb=50.0, wrong=wrong)


def test_the_middle_of_rounds_has_the_slowest_message_of_all() -> None:
    found = middle([figures(1), figures(3, slowest_ms=90), figures(2)])
    assert (found.last_ms, found.slowest_ms) == (2, 90)


def test_a_row_has_a_cell_for_each_heading() -> None:
    assert row((10_000, OURS), figures(150)) == ("10,000", OURS, "9.0", "150", "40", "9.5")
    assert len(row((1, OURS), figures(1))) == len(FAN_OUT_HEADINGS)
    assert len(echo_row((32, OURS), echoes(1))) == len(ECHO_HEADINGS)
    assert echo_row((32, BARE), echoes(40_000))[1] == "Node, ws, no workers"


def test_the_targets_are_the_memory_of_10000_sockets_and_right_answers() -> None:
    fan_outs = {
        (1_000, OURS): figures(10),
        (1_000, BARE): figures(20),
        (10_000, OURS): figures(150, socket_kb=11),
    }
    verdicts = {check.what: check.verdict for check in checks_of(fan_outs, {(32, OURS): echoes(1, wrong=1)})}
    assert verdicts == {
        "time to the last of 1,000 sockets, to Node, ws": "",
        "memory for each of 10,000 idle sockets": "NO",
        "wrong answers": "NO",
    }


def test_the_report_has_a_row_for_each_sample_and_the_checks() -> None:
    fan_outs = {(1_000, OURS): figures(10), (1_000, BARE): figures(20)}
    text = report(fan_outs, {(32, OURS): echoes(15_000), (32, BARE): echoes(40_000)}, 3)
    assert "| 1,000 | Node, ws | 9.0 | 20 |" in text
    assert "| 32 | pyroadrunner | 15,000 |" in text
    assert "0.50 x" in text
    assert arguments(["--quick"]).quick
