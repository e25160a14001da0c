"""Results as text and Markdown, and their page ``docs/benchmarks.md``.

``make bench`` writes the page; each of the other benches has a part below, between two comments. Each bench keeps the
parts of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.checks import HEADINGS, Check, markdown_table, rows, text_table
from bench.loads import LOADS
from bench.measure import Sample

PAGE_FILE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

COLUMNS = ("Load", "Subject", "Requests/s", "p50 ms", "p99 ms", "Server CPU us", "With PHP us", "Memory MB", "Errors")

PAGE = """# Benchmarks

Written by `make bench` on {date}. Figures of one machine on one day: run it on yours.

{machine}

Everything runs on one machine, including the load generator (`wrk`, one thread). The rates are therefore those of a
server that shares its cores; compare the ratios, not the rates. Each subject has {workers} PHP workers that do the
same work (`bench/php/work.php`), with opcache (`opcache.enable_cli=1` for workers). {rounds} rounds of {seconds:.0f} s
for each load, the subjects in turn within each; the table shows medians. Each subject's answers are checked before it
is measured.

- **pyroadrunner**: `rr serve`, relay `pipes`, log level `error`.
- **nginx + php-fpm**: {processes} nginx worker process{plural} ({tried}), unix socket, {workers} static
  children, no access log; connections to php-fpm are not kept (neither `keepalive` nor `fastcgi_keep_conn`): a kept
  one would occupy a child while it is idle.
- **the workers alone, over pipes**: one loop feeds the same workers without HTTP, one request each at a time. It shows
  what HTTP costs.

Every load has 32 connections, except where its title says otherwise. "Page for a browser": the request has `Host` and
12 other headers, as Chrome sends them, one of them a line of 4 cookies; the response is a page of 1.5 KB with 8
headers, two of them `Set-Cookie`. The values of two cookies have 180 bytes and are new in each request and each
response, as Laravel encrypts them anew for each response. "Framework boot": an application of 200 class files, all in
opcache; php-fpm loads them for each request, a worker only once. It does nothing else; a real framework's boot takes
longer.

{results}

"Server CPU" is per request, of all processes but PHP's; "With PHP" adds those. Memory is the peak of all processes
except PHP's during the load (nginx: the sum of its processes). An idle pyroadrunner uses {idle:.0f} MB.

## Targets

{checks}
"""


@dataclass(frozen=True, kw_only=True)
class Results:
    """All measurements.

    Attributes:
        samples: samples by title of the subject and name of the load.
        bare: requests per second of the workers alone, by name of the load.
        nginx_rates: requests per second by number of nginx processes; the best one is used.
        idle_rss_mb: memory of the server before its first load.
    """

    samples: Mapping[str, Mapping[str, Sample]]
    bare: Mapping[str, float]
    bare_title: str
    nginx_rates: Mapping[int, float]
    idle_rss_mb: float
    seconds: float
    rounds: int
    workers: int


def result_rows(results: Results) -> list[tuple[str, ...]]:
    """One row per load and subject, under :data:`COLUMNS`."""
    table = []
    for load in LOADS:
        for title, samples in results.samples.items():
            if found := samples.get(load.name):
                table.append((load.title, title, *cells(found)))
        if load.name in results.bare:
            table.append((load.title, results.bare_title, f"{results.bare[load.name]:,.0f}", *[""] * 6))
    return table


def cells(sample: Sample) -> tuple[str, ...]:
    """The values of a row."""
    return (
        f"{sample.rate:,.0f}",
        f"{sample.p50_ms:.2f}",
        f"{sample.p99_ms:.2f}",
        f"{sample.server_us:.1f}",
        f"{sample.server_us + sample.php_us:.1f}",
        f"{sample.rss_mb:.1f}",
        f"{sample.errors:.0f}",
    )


def text(results: Results, checks: Sequence[Check]) -> str:
    """Text for terminals."""
    table = text_table(COLUMNS, result_rows(results), left=2)
    return f"{table}\n\n{text_table(HEADINGS, rows(checks))}\n"


def markdown(results: Results, checks: Sequence[Check], machine: Sequence[tuple[str, str]], date: str) -> str:
    """The page ``docs/benchmarks.md``."""
    processes = max(results.nginx_rates, key=lambda number: results.nginx_rates[number])
    tried = ", ".join(f"{number}: {rate:,.0f} requests/s" for number, rate in results.nginx_rates.items())
    return PAGE.format(
        date=date,
        machine="\n".join(f"- {name}: {value}" for name, value in machine),
        workers=results.workers,
        seconds=results.seconds,
        rounds=results.rounds,
        processes=processes,
        plural="" if processes == 1 else "es",
        tried=f"the better of {tried}",
        results=markdown_table(COLUMNS, result_rows(results), left=2),
        idle=results.idle_rss_mb,
        checks=markdown_table(HEADINGS, rows(checks)),
    )


def parts(page: str) -> str:
    """The parts of a page with their comments, without the main bench's."""
    start = page.find(_begin(""))
    return page[start:] if start >= 0 else ""


def put_part(page: Path, name: str, text: str) -> None:
    """Add or replace a part."""
    before = page.read_text(encoding="utf-8")
    begin, end = f"{_begin(name)} -->\n", f"<!-- end of {name} -->\n"
    start = before.find(begin)
    rest = before[before.index(end, start) + len(end) :] if start >= 0 else ""
    kept = before[:start] if start >= 0 else f"{before.rstrip()}\n\n"
    page.write_text(f"{kept}{begin}\n{text.strip()}\n\n{end}{rest}", encoding="utf-8")


def _begin(name: str) -> str:
    return f"<!-- part: {name}"
