"""``make bench``: measure every load on every subject, then report. About four minutes."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import bare, machine, nginx, report, rr
from bench.checks import Check
from bench.client import NotUp, WrongAnswer, check
from bench.loads import CROWD, LOADS, Load
from bench.measure import NothingAnswered, Sample, measure, middle
from bench.processes import usage
from bench.report import Results
from bench.subject import WORKERS, Subject
from bench.targets import speed_checks
from bench.wrk import WrkFailed


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 2 s each, for a quick look; writes nothing")
    parser.add_argument(
        "--only", metavar="LOAD,...", default="", help=f"some of {', '.join(one.name for one in LOADS)}"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each round (4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per load and subject (3)")
    parser.add_argument("--rr", default="", metavar="COMMAND", help="another server that accepts: serve -c FILE")
    return parser.parse_args(words)


def chosen(only: str) -> list[Load]:
    """The named loads.

    Raises:
        SystemExit: a name is unknown.
    """
    names = only.split(",") if only else [load.name for load in LOADS]
    if unknown := set(names) - {load.name for load in LOADS}:
        raise SystemExit(
            f"no such load: {', '.join(sorted(unknown))}; there are {', '.join(one.name for one in LOADS)}"
        )
    return [load for load in LOADS if load.name in names]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def in_turn(
    subjects: Sequence[Subject], loads: Sequence[Load], seconds: float, rounds: int
) -> tuple[dict[str, dict[str, Sample]], dict[str, float]]:
    """Measure. The subjects take turns within each round, so that a slow minute of the machine affects all equally.

    Returns:
        Samples by title of the subject and name of the load; rates of the workers alone by name of the load.
    """
    samples: dict[str, dict[str, Sample]] = {subject.title: {} for subject in subjects}
    limits: dict[str, float] = {}
    with bare.workers() as workers:
        for load in loads:
            found: dict[str, list[Sample]] = {subject.title: [] for subject in subjects}
            alone: list[float] = []
            for subject in subjects:
                check(subject.port, load, subject.title)
                measure(subject, load, 1)
            with_limit = load is not CROWD  # connections apply to HTTP only, not to bare workers
            if with_limit:
                bare.check(workers[0], load)
            for _ in range(rounds):
                for subject in subjects:
                    found[subject.title].append(measure(subject, load, seconds))
                if with_limit:
                    alone.append(bare.rate(workers, load, seconds / 2))
            for title, measured in found.items():
                samples[title][load.name] = middle(measured)
                say(f"  {load.title}: {title} {samples[title][load.name].rate:,.0f}/s")
            if alone:
                limits[load.name] = sorted(alone)[len(alone) // 2]
                say(f"  {load.title}: {bare.TITLE} {limits[load.name]:,.0f}/s")
    return samples, limits


def run(options: argparse.Namespace) -> tuple[Results, list[Check]]:
    """Start all subjects, measure, stop them."""
    seconds, rounds = (2.0, 1) if options.quick else (options.seconds, options.rounds)
    say("nginx with 1 and with 2 worker processes ...")
    rates = nginx.rates(1 if options.quick else 2)
    with contextlib.ExitStack() as stack:
        command = tuple(shlex.split(options.rr)) or rr.RR
        ours: Subject = stack.enter_context(rr.serving(command))
        theirs = stack.enter_context(nginx.serving(max(rates, key=lambda number: rates[number])))
        idle = usage(ours.roots).server_rss_mb
        samples, limits = in_turn([ours, theirs], chosen(options.only), seconds, rounds)
    results = Results(
        samples=samples,
        bare=limits,
        bare_title=bare.TITLE,
        nginx_rates=rates,
        idle_rss_mb=idle,
        seconds=seconds,
        rounds=rounds,
        workers=WORKERS,
    )
    return results, speed_checks(samples[ours.title], samples[theirs.title], limits, idle)


def main() -> int:
    """0 if all targets are met; 1 if not, or if nothing could be measured."""
    options = arguments()
    chosen(options.only)
    try:
        results, checks = run(options)
    except (NotUp, WrongAnswer, NothingAnswered, WrkFailed) as error:
        say(f"bench: {error}")
        return 1
    print(report.text(results, checks))
    if not (options.quick or options.only or options.rr):
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        page = report.PAGE_FILE
        others = report.parts(page.read_text(encoding="utf-8")) if page.exists() else ""
        page.write_text(f"{report.markdown(results, checks, machine.describe(), today)}\n{others}".rstrip() + "\n")
        say(f"written: {page.relative_to(Path.cwd())}" if page.is_relative_to(Path.cwd()) else f"written: {page}")
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
