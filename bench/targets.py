"""The targets for speed and memory, and whether they are met. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bench.checks import Check
from bench.measure import Sample

Samples = Mapping[str, Sample]  # by name of the load


def speed_checks(rr: Samples, nginx: Samples, bare: Mapping[str, float], idle_rss_mb: float) -> list[Check]:
    """Check the targets for which there are measurements; without the load ``hello`` those are memory and errors.

    Args:
        rr, nginx: samples by name of the load.
        bare: requests per second of the workers alone, by name of the load.
        idle_rss_mb: memory of the server before its first load.
    """
    checks = []
    if hello := rr.get("hello"):
        if there := nginx.get("hello"):
            checks.append(ratio("hello, to nginx + php-fpm", hello.rate / there.rate, 2.0))
        if "hello" in bare:
            checks.append(ratio("hello, to the workers alone", hello.rate / bare["hello"], 0.45))
        for name, what, least in (
            ("post", "POST of 1 KB, to hello", 0.75),
            ("large", "answer of 100 KB, to hello", 0.3),
            ("crowd", "256 connections, to 32", 0.85),
        ):
            if name in rr:
                checks.append(ratio(what, rr[name].rate / hello.rate, least))
        checks.append(Check(what="server CPU per hello", measured=hello.server_us, most=35, unit="us", digits=1))
        most = 3 * hello.p50_ms + 2
        checks.append(
            Check(what="p99 of hello (3 x p50 + 2 ms)", measured=hello.p99_ms, most=most, unit="ms", digits=2)
        )
    for name, what in (
        ("browser", "page for a browser, to nginx + php-fpm"),
        ("app", "application, to nginx + php-fpm"),
        ("boot", "framework boot, to nginx + php-fpm"),
    ):
        if (there := nginx.get(name)) and (here := rr.get(name)):
            checks.append(Check(what=what, measured=here.rate / there.rate, unit="x", digits=2))
    checks.append(Check(what="failed requests, all loads", measured=sum(one.errors for one in rr.values()), most=0))
    checks.append(Check(what="memory when idle", measured=idle_rss_mb, most=60, unit="MB", digits=1))
    if rr:
        under_load = max(one.rss_mb for one in rr.values())
        checks.append(Check(what="memory under load", measured=under_load, most=90, unit="MB", digits=1))
    return checks


def ratio(what: str, measured: float, least: float) -> Check:
    """A check of a ratio of speeds."""
    return Check(what=what, measured=measured, least=least, unit="x", digits=2)
