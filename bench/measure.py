"""Measure one load on one subject: results of the clients, and cost on the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median

from bench import wrk
from bench.loads import Load
from bench.processes import PeakMemory, Usage, usage
from bench.subject import Subject
from bench.wrk import Traffic


class NothingAnswered(Exception):
    """A round without a single response; no result can be computed."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement, or the medians of several.

    Attributes:
        rate: requests per second.
        errors: requests that failed or got a status of 400 or more.
        server_us: CPU per request without PHP, microseconds.
        php_us: CPU per request of the PHP processes, microseconds.
        rss_mb: peak memory without PHP.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    errors: float
    server_us: float
    php_us: float
    rss_mb: float


def sample(traffic: Traffic, before: Usage, after: Usage, rss_mb: float) -> Sample:
    """Compute a sample from the measurements.

    Raises:
        NothingAnswered: no request was served.
    """
    if not traffic.requests:
        raise NothingAnswered(f"not one request was answered in {traffic.seconds:.0f} s")
    per_request = 1e6 / traffic.requests
    return Sample(
        rate=traffic.rate,
        p50_ms=traffic.p50_ms,
        p99_ms=traffic.p99_ms,
        errors=traffic.errors,
        server_us=(after.server_cpu_seconds - before.server_cpu_seconds) * per_request,
        php_us=(after.php_cpu_seconds - before.php_cpu_seconds) * per_request,
        rss_mb=rss_mb,
    )


def measure(subject: Subject, load: Load, seconds: float) -> Sample:
    """Run the load on the subject for the given time."""
    before = usage(subject.roots)
    with PeakMemory(subject.roots) as memory:
        traffic = wrk.run(subject.port, load, seconds)
    return sample(traffic, before, usage(subject.roots), memory.rss_mb)


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each value; for errors and memory the maximum, since their targets apply to every round."""
    largest = ("errors", "rss_mb")
    values = {one.name: [getattr(each, one.name) for each in samples] for one in fields(Sample)}
    return Sample(**{name: max(found) if name in largest else median(found) for name, found in values.items()})
