"""Figures of TCP echoes: the rows and checks of the report."""

from __future__ import annotations

from bench.tcp import arguments, report
from bench.tcp_samples import HEADINGS, EchoSample, echo_checks, middle, row

BESIDE = "RoadRunner 1"


def figures(echoes: float, *, rss_mb: float = 40.0, wrong: float = 0) -> EchoSample:
    return EchoSample(echoes=echoes, p99_us=1500.0, server_us=25.0, rss_mb=rss_mb, wrong=wrong)


def test_the_middle_of_rounds_has_the_largest_memory_and_all_wrong_answers() -> None:
    found = middle([figures(1, rss_mb=50), figures(3, wrong=2), figures(2)])
    assert (found.echoes, found.rss_mb, found.wrong) == (2, 50, 2)


def test_a_row_has_a_cell_for_each_heading() -> None:
    assert row((32, BESIDE), figures(33_800)) == ("32", BESIDE, "33,800", "1,500", "25.0", "40", "0")
    assert row((0, BESIDE), figures(1))[0] == "one per echo"
    assert len(row((0, BESIDE), figures(1))) == len(HEADINGS)


def test_the_targets_are_the_rate_at_32_and_the_memory_at_256_connections() -> None:
    samples = {
        (8, "pyroadrunner"): figures(1.0),
        (8, BESIDE): figures(2.0),
        (32, "pyroadrunner"): figures(3.0),
        (32, BESIDE): figures(2.0),
        (256, "pyroadrunner"): figures(1.0, rss_mb=61),
    }
    verdicts = {check.what: check.verdict for check in echo_checks(samples, BESIDE)}
    assert verdicts == {
        "echoes/s, 8 connections, to RoadRunner 1": "",
        "echoes/s, 32 connections, to RoadRunner 1": "yes",
        "memory, 256 connections": "NO",
        "wrong answers": "yes",
    }


def test_the_report_has_a_row_for_each_sample_and_the_checks() -> None:
    samples = {(32, "pyroadrunner"): figures(30_000), (32, BESIDE): figures(20_000)}
    checks = echo_checks(samples, BESIDE)
    text = report(samples, checks, BESIDE, 2.0, 3)
    assert "| 32 | RoadRunner 1 | 20,000 |" in text
    assert "RoadRunner 1 ran in the same rounds" in text
    assert "1.50 x" in text
    assert arguments(["--quick"]).quick
