"""``python -m bench.jobs``, part of ``make bench``: jobs on every driver, with two PHP and with two Python workers,
next to the broker's client alone. About six minutes; writes its table to ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import bare, machine, rr
from bench.broker import Broker, NotMeasured
from bench.brokers import BROKERS, DRIVERS, ROADRUNNER_DRIVERS
from bench.checks import HEADINGS as CHECK_HEADINGS
from bench.checks import Check, draw, markdown_table, text_table
from bench.checks import rows as check_rows
from bench.client import NotUp
from bench.job_samples import HEADINGS, OURS, JobSample, job_checks, limit_row, middle, row
from bench.job_server import BATCH, CLIENTS, COMMANDS, PACE, JobServer, PushFailed, serving
from bench.report import PAGE_FILE, put_part
from bench.subject import WORKERS
from pyroadrunner.goridge.frame import Flag, encode_payload
from pyroadrunner.plugins.jobs.installed import installed_drivers

TEXT = """## Jobs

Written by `python -m bench.jobs`, a part of `make bench`; medians of {rounds} rounds of {seconds:g} s for each load.
{workers} workers note each run and acknowledge it; {clients} PHP clients push, each over one plain socket, payloads of
100 bytes. "Pushes/s" are single pushes to a paused pipeline, and "p99 us" is how long one takes; "Jobs/s" are those of
a burst, pushed {batch} a call, from the first push to the last run; "p99 wait" is the time from push to run of single
jobs, {pace} a second. "Server CPU" is that of the server's own process for a job of the burst, with its push. The
other rows are the limits: the broker's client alone in one loop, one job at a time; and for jobs in memory the workers
alone, over pipes.
{beside}

{table}
{missing}
{checks}
"""
BESIDE = """{title} ran in the same rounds, with the same workers and clients."""


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 1 s each, for a quick look; writes nothing")
    parser.add_argument("--drivers", metavar="NAME,...", default="", help=f"some of {', '.join(DRIVERS)}")
    parser.add_argument("--workers", metavar="NAME,...", default="", help=f"some of {', '.join(COMMANDS)}")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each load (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per subject (3)")
    parser.add_argument("--rr", default="", metavar="COMMAND", help="another server that accepts: serve -c FILE")
    parser.add_argument("--beside", default="", metavar="COMMAND", help="a RoadRunner to measure in the same rounds")
    return parser.parse_args(words)


def chosen(names: str, known: Sequence[str]) -> list[str]:
    """The named ones, or all.

    Raises:
        SystemExit: a name is unknown.
    """
    wanted = names.split(",") if names else list(known)
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"no such name: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in wanted]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def workers_alone(seconds: float) -> float:
    """Jobs per second of the PHP workers alone, over pipes."""
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as name:
        started: list[bare.Worker] = []
        try:
            for _ in range(WORKERS):
                started.append(bare.Worker({"RUNS": f"{name}/runs"}, COMMANDS["PHP"], "jobs"))
            job = {"id": "00000000-0000-4000-8000-1", "job": "send-mail", "headers": None, "pipeline": "busy"}
            head = json.dumps(job, separators=(",", ":")).encode()
            return bare.feed(started, encode_payload(head, b"1".ljust(100), Flag.RAW), seconds)
        finally:
            for worker in started:
                worker.stop()


def limit(driver: str, broker: Broker, seconds: float) -> tuple[str, ...] | None:
    """The row of the limit; ``None`` if its client is not installed."""
    if driver == "memory":
        return limit_row(driver, bare.TITLE, 0, workers_alone(seconds))
    if broker.loop is None:
        return None
    try:
        loop = broker.loop(seconds)
    except ModuleNotFoundError:
        return None
    return limit_row(driver, "its client alone", loop.pushes, loop.jobs)


@contextlib.contextmanager
def servers(
    subjects: dict[str, Sequence[str]], driver: str, workers: str, broker: Broker
) -> Iterator[tuple[list[JobServer], list[str]]]:
    """All servers that have this driver, and why one does not run."""
    with contextlib.ExitStack() as stack:
        started, missing = [], []
        for number, (title, command) in enumerate(subjects.items()):
            if title != OURS and driver not in ROADRUNNER_DRIVERS:
                continue
            prefix = f"{workers.lower()}{number}"
            try:
                started.append(stack.enter_context(serving(command, title, driver, workers, broker, prefix)))
            except NotUp as error:
                missing.append(f"{driver}, {workers} workers, {title}: it does not start")
                say(f"  {error}")
        yield started, missing


class Measured:
    """All figures.

    Attributes:
        missing: what was not measured, and why.
    """

    def __init__(self) -> None:
        self.samples: dict[tuple[str, str, str], JobSample] = {}
        self.rows: list[tuple[str, ...]] = []
        self.missing: list[str] = []

    def driver(
        self,
        driver: str,
        subjects: dict[str, Sequence[str]],
        kinds: Sequence[str],
        seconds: float,
        rounds: int,
    ) -> None:
        """Measure a driver. The subjects take turns within each round."""
        if driver not in installed_drivers():
            raise NotMeasured("the driver is not installed")
        with tempfile.TemporaryDirectory(prefix="bench-broker-") as name, BROKERS[driver](Path(name)) as broker:
            for workers in kinds:
                with servers(subjects, driver, workers, broker) as (started, missing):
                    self.missing += missing
                    found: dict[str, list[JobSample]] = {server.title: [] for server in started}
                    for _ in range(rounds):
                        for server in started:
                            found[server.title].append(server.round(seconds))
                for title, samples in found.items():
                    key = (driver, workers, title)
                    self.samples[key] = sample = middle(samples)
                    self.rows.append(row(key, sample))
                    say(f"  {driver}, {workers} workers: {title} {sample.jobs:,.0f} jobs/s")
            if (alone := limit(driver, broker, seconds)) is not None:
                self.rows.append(alone)
            else:
                self.missing.append(f"the client of {driver} alone: it is not installed")


def report(options: argparse.Namespace, found: Measured, checks: Sequence[Check], beside: str) -> str:
    """The part of the page."""
    missing = "".join(f"\nNot measured: {line}.\n" for line in found.missing)
    return TEXT.format(
        rounds=options.rounds,
        seconds=options.seconds,
        workers=WORKERS,
        clients=CLIENTS,
        batch=BATCH,
        pace=PACE,
        beside=BESIDE.format(title=beside) if beside else "",
        table=markdown_table(HEADINGS, found.rows, left=3),
        missing=missing,
        checks=markdown_table(CHECK_HEADINGS, check_rows(checks)),
    )


def main() -> int:
    """0 if all targets are met."""
    options = arguments()
    drivers, kinds = chosen(options.drivers, DRIVERS), chosen(options.workers, tuple(COMMANDS))
    if options.quick:
        options.seconds, options.rounds = 1.0, 1
    subjects: dict[str, Sequence[str]] = {OURS: tuple(shlex.split(options.rr)) or rr.RR}
    beside = ""
    if command := tuple(shlex.split(options.beside)):
        beside = f"RoadRunner {machine.version(*command, '--version')}"
        subjects[beside] = command
    found = Measured()
    for driver in drivers:
        say(f"{driver} ...")
        try:
            found.driver(driver, subjects, kinds, options.seconds, options.rounds)
        except NotMeasured as why:
            found.missing.append(f"{driver}: {why}")
        except (NotUp, PushFailed) as error:
            say(f"bench: {error}")
            found.missing.append(f"{driver}: it failed")
    checks = job_checks(found.samples, beside)
    print(text_table(HEADINGS, found.rows, left=3))
    for line in found.missing:
        print(f"not measured: {line}")
    print(draw("Targets", checks))
    if not (options.quick or options.drivers or options.workers or options.rr):
        put_part(PAGE_FILE, "jobs", report(options, found, checks, beside))
    return 0 if found.samples and all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
