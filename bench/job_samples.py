"""Figures of jobs: from the runs that the workers have noted to rows and checks. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from bench.checks import Check

HEADINGS = ("Driver", "Workers", "Subject", "Pushes/s", "p99 us", "Jobs/s", "p99 wait ms", "Server CPU us", "Not run")
OURS = "pyroadrunner"
NOT_SLOWER = ("memory", "amqp", "nats", "beanstalk")  # than the server beside
_BOLTDB = 1000  # jobs/s
_run = struct.Struct("<QQ")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a job: when it was pushed and when it began, nanoseconds of the machine's monotonic clock."""

    pushed: int
    began: int


@dataclass(frozen=True, kw_only=True)
class JobSample:
    """One round, or the medians of several.

    Attributes:
        pushes: single pushes per second while no job runs; ``push_p99_us``: how long one took.
        jobs: per second, from the first push to the last run.
        wait_p99_ms: from the push to the run, at a rate that leaves workers free.
        server_us: CPU of the server alone per job, including its push.
        not_run: jobs that did not run in time.
    """

    pushes: float
    push_p99_us: float
    jobs: float
    wait_p99_ms: float
    server_us: float
    not_run: float


Samples = Mapping[tuple[str, str, str], JobSample]  # by driver, workers and subject


def read_runs(data: bytes, since: int) -> list[Run]:
    """What the workers have noted of jobs pushed since then. An incomplete last entry is left out."""
    whole = data[: len(data) // _run.size * _run.size]
    return [Run(pushed=pushed, began=began) for pushed, began in _run.iter_unpack(whole) if pushed >= since]


def job_rate(runs: Sequence[Run]) -> float:
    """Jobs per second from the first push to the last run; 0.0 without runs."""
    if not runs:
        return 0.0
    return len(runs) / (max(one.began for one in runs) - min(one.pushed for one in runs)) * 1e9


def wait_p99_ms(runs: Sequence[Run]) -> float:
    """The wait that 99 of 100 jobs do not exceed; infinite without runs."""
    waits = sorted(one.began - one.pushed for one in runs)
    return waits[int(len(waits) * 0.99)] / 1e6 if waits else math.inf


def middle(samples: Sequence[JobSample]) -> JobSample:
    """The median of each value; for jobs that did not run the maximum."""
    values = {one.name: [getattr(each, one.name) for each in samples] for one in fields(JobSample)}
    return JobSample(**{name: max(found) if name == "not_run" else median(found) for name, found in values.items()})


def row(key: tuple[str, str, str], sample: JobSample) -> tuple[str, ...]:
    """A row under :data:`HEADINGS`."""
    return (
        *key,
        f"{sample.pushes:,.0f}",
        f"{sample.push_p99_us:,.0f}",
        f"{sample.jobs:,.0f}",
        f"{sample.wait_p99_ms:,.1f}",
        f"{sample.server_us:,.1f}",
        f"{sample.not_run:.0f}",
    )


def limit_row(driver: str, title: str, pushes: float, jobs: float) -> tuple[str, ...]:
    """A row for a loop without a server; 0 = it has no such figure."""
    return (driver, "", title, f"{pushes:,.0f}" if pushes else "", "", f"{jobs:,.0f}", "", "", "")


def job_checks(samples: Samples, beside: str) -> list[Check]:
    """The targets for which there are figures.

    Args:
        beside: title of the other server; empty = there was none.
    """
    checks = []
    for (driver, workers, subject), sample in samples.items():
        if subject != OURS:
            continue
        other = samples.get((driver, workers, beside))
        if other is not None and other.jobs:
            least = 1.0 if driver in NOT_SLOWER and workers == "PHP" else None
            what = f"jobs/s of {driver}, {workers} workers, to {beside}"
            checks.append(Check(what=what, measured=sample.jobs / other.jobs, least=least, unit="x", digits=2))
        if driver == "boltdb" and workers == "PHP":
            checks.append(Check(what="jobs/s of boltdb", measured=sample.jobs, least=_BOLTDB))
    checks.append(Check(what="jobs that did not run", measured=_not_run(samples), most=0))
    return checks


def _not_run(samples: Samples) -> float:
    ours: Iterable[JobSample] = (sample for (_, _, subject), sample in samples.items() if subject == OURS)
    return sum(sample.not_run for sample in ours)
