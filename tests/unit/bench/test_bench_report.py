"""Figures against promises, medians, and the tables they are printed in."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from bench.checks import Check, markdown_table, text_table
from bench.measure import NothingAnswered, Sample, middle, sample
from bench.processes import Usage
from bench.report import Results, markdown, parts, put_part, text
from bench.targets import speed_checks
from bench.wrk import Traffic


def figures(rate: float, *, server_us: float = 30.0, p50: float = 1.0, p99: float = 3.0, errors: float = 0) -> Sample:
    return Sample(rate=rate, p50_ms=p50, p99_ms=p99, errors=errors, server_us=server_us, php_us=20.0, rss_mb=50.0)


def used(server: float, php: float) -> Usage:
    return Usage(server_cpu_seconds=server, php_cpu_seconds=php, server_rss_mb=40.0, php_rss_mb=20.0, processes=3)


def seen(requests: int) -> Traffic:
    return Traffic(
        requests=requests,
        seconds=2.0,
        p50_ms=1.0,
        p99_ms=2.0,
        bytes=0,
        bad_status=0,
        connect=0,
        read=0,
        write=0,
        timeout=0,
    )


def verdicts(checks: list[Check]) -> dict[str, str]:
    return {check.what: check.verdict for check in checks}


def test_cpu_is_counted_per_request_and_php_apart() -> None:
    found = sample(seen(1000), used(1.0, 5.0), used(1.05, 5.1), 44.0)
    assert found.server_us == pytest.approx(50)
    assert found.php_us == pytest.approx(100)
    assert (found.rate, found.rss_mb) == (500, 44.0)


def test_a_round_without_an_answer_is_an_error_and_not_a_figure() -> None:
    with pytest.raises(NothingAnswered):
        sample(seen(0), used(0, 0), used(1, 1), 44.0)


def test_rounds_become_their_median_but_every_error_stays() -> None:
    found = middle([figures(100), figures(300, errors=2), figures(200)])
    assert (found.rate, found.errors) == (200, 2)


def test_a_check_holds_at_its_bound_and_not_beyond() -> None:
    assert Check(what="x", measured=2.0, least=2.0).holds
    assert not Check(what="x", measured=1.99, least=2.0).holds
    assert Check(what="x", measured=35, most=35).verdict == "yes"
    assert Check(what="x", measured=35.1, most=35).verdict == "NO"
    assert Check(what="x", measured=1).verdict == ""


def test_infinite_latency_never_holds() -> None:
    assert not Check(what="p99", measured=math.inf, most=34.1, unit="ms").holds


def test_ratios_are_taken_to_the_same_load_of_nginx_and_to_hello() -> None:
    rr = {"hello": figures(2000), "post": figures(1400), "large": figures(700), "crowd": figures(1800)}
    found = verdicts(speed_checks(rr, {"hello": figures(1000)}, {"hello": 5000.0}, 40.0))
    assert found["hello, to nginx + php-fpm"] == "yes"
    assert found["hello, to the workers alone"] == "NO"  # 0.40
    assert found["POST of 1 KB, to hello"] == "NO"  # 0.70
    assert found["answer of 100 KB, to hello"] == "yes"
    assert found["256 connections, to 32"] == "yes"


def test_a_load_without_a_target_is_listed_with_its_ratio() -> None:
    names = ("browser", "app", "boot")
    found = speed_checks({name: figures(300) for name in names}, {name: figures(200) for name in names}, {}, 40.0)
    listed = {check.what: (check.value, check.verdict) for check in found}
    for what in ("page for a browser", "application", "framework boot"):
        assert listed[f"{what}, to nginx + php-fpm"] == ("1.50 x", "")


def test_what_was_not_measured_is_not_judged() -> None:
    found = verdicts(speed_checks({"post": figures(10)}, {}, {}, 40.0))
    assert set(found) == {"failed requests, all loads", "memory when idle", "memory under load"}


def test_tail_latency_is_judged_by_the_median() -> None:
    near = speed_checks({"hello": figures(1, p50=1.0, p99=5.0)}, {}, {}, 1.0)
    far = speed_checks({"hello": figures(1, p50=1.0, p99=5.1)}, {}, {}, 1.0)
    assert verdicts(near)["p99 of hello (3 x p50 + 2 ms)"] == "yes"
    assert verdicts(far)["p99 of hello (3 x p50 + 2 ms)"] == "NO"


def test_tables_line_up() -> None:
    assert text_table(("A", "B"), [("long", "1"), ("x", "22")]) == "A      B\n----  --\nlong   1\nx     22"
    assert markdown_table(("A", "B"), [("x", "1")]) == "| A | B |\n| --- | ---: |\n| x | 1 |"


def test_the_page_has_every_figure_and_says_what_does_not_hold() -> None:
    results = Results(
        samples={"pyroadrunner": {"hello": figures(1234)}, "nginx + php-fpm": {"hello": figures(1000)}},
        bare={"hello": 9876.0},
        bare_title="the workers alone",
        nginx_rates={1: 900.0, 2: 1000.0},
        idle_rss_mb=44.0,
        seconds=4.0,
        rounds=3,
        workers=2,
    )
    checks = speed_checks(results.samples["pyroadrunner"], results.samples["nginx + php-fpm"], results.bare, 44.0)
    page = markdown(results, checks, [("PHP", "8.2.1")], "2026-11-24")
    assert "| hello | pyroadrunner | 1,234 |" in page
    assert "| hello | the workers alone | 9,876 |" in page
    assert "2 nginx worker processes" in page
    assert "connections to php-fpm are not kept" in page
    assert "- PHP: 8.2.1" in page
    assert "| hello, to nginx + php-fpm | >= 2.00 x | 1.23 x | NO |" in page
    assert "1,234" in text(results, checks)


def test_a_part_of_the_page_is_written_and_replaced_and_leaves_the_others(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n")
    assert parts(page.read_text()) == ""
    for name, content in (("a", "one"), ("b", "two"), ("a", "three")):
        put_part(page, name, content)
    first = "<!-- part: a -->\n\nthree\n\n<!-- end of a -->"
    second = "<!-- part: b -->\n\ntwo\n\n<!-- end of b -->"
    assert page.read_text() == f"# Benchmarks\n\n{first}\n\n{second}\n"
    assert parts(page.read_text()) == page.read_text().removeprefix("# Benchmarks\n\n")
