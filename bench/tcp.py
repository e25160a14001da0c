"""``python -m bench.tcp``, part of ``make bench``: echoes over TCP with two PHP workers. About a minute; writes its
table to ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, rr
from bench.broker import wait_for_port
from bench.checks import HEADINGS as CHECK_HEADINGS
from bench.checks import Check, draw, markdown_table, text_table
from bench.checks import rows as check_rows
from bench.client import NotUp, free_port
from bench.processes import PeakMemory, cpu_of
from bench.report import PAGE_FILE, put_part
from bench.subject import PHP, PHP_FILES, WORKERS, process
from bench.tcp_samples import HEADINGS, LOADS, OURS, EchoSample, echo_checks, middle, row

CLIENT = Path(__file__).parent / "tcp_client.py"
TEXT = """## TCP

Written by `python -m bench.tcp`, a part of `make bench`; medians of {rounds} rounds of {seconds:g} s for each load.
{workers} PHP workers send each message of 34 bytes back. One client process has all connections and sends the next
message when the answer is there; in the first rows each echo has a connection of its own, so three events. "Server CPU"
and "RSS" are those of the server's own process.
{beside}

{table}

{checks}
"""
BESIDE = """{title} ran in the same rounds, with the same workers and client."""
ALONE = """RoadRunner is measured in the same rounds with `make bench TCP="--beside COMMAND"`."""


@dataclass(frozen=True, kw_only=True)
class EchoServer:
    """A running server."""

    title: str
    pid: int
    port: int

    def round(self, connections: int, seconds: float) -> EchoSample:
        """Let the client echo.

        Raises:
            NotUp: it got no answer.
        """
        command = [sys.executable, str(CLIENT), str(self.port), str(connections), str(seconds)]
        before = cpu_of(self.pid)
        with PeakMemory([self.pid]) as memory:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        used = cpu_of(self.pid) - before
        if done.returncode:
            raise NotUp(f"{self.title}: {done.stderr.strip()}")
        found = json.loads(done.stdout)
        if not found["echoes"]:
            raise NotUp(f"{self.title}: not one message was answered")
        return EchoSample(
            echoes=found["echoes"] / found["seconds"],
            p99_us=found["p99_us"],
            server_us=used / found["echoes"] * 1e6,
            rss_mb=memory.rss_mb,
            wrong=found["wrong"],
        )


@contextlib.contextmanager
def serving(command: Sequence[str], title: str) -> Iterator[EchoServer]:
    """Start a server with an echo worker; stop it at the end.

    Raises:
        NotUp: with its output.
    """
    command = (rr.executable(command[0]), *command[1:])
    with tempfile.TemporaryDirectory(prefix="bench-tcp-") as name:
        folder = Path(name)
        log, port = folder / "log", free_port()
        config = {
            "version": "3",
            "server": {"command": shlex.join((*PHP, str(PHP_FILES / "tcp.php"))), "relay": "pipes"},
            "logs": {"mode": "production", "level": "error"},
            "tcp": {"servers": {"echo": {"addr": f"127.0.0.1:{port}"}}, "pool": {"num_workers": WORKERS}},
        }
        with process([*command, "serve", "-c", str(rr.write(folder, config))], log, folder) as child:
            wait_for_port(port, child, log)
            server = EchoServer(title=title, pid=child.pid, port=port)
            server.round(WORKERS, 0.5)
            yield server


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tcp", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 1 s each, for a quick look; writes nothing")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each load (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per load and subject (3)")
    parser.add_argument("--rr", default="", metavar="COMMAND", help="another server that accepts: serve -c FILE")
    parser.add_argument("--beside", default="", metavar="COMMAND", help="a RoadRunner to measure in the same rounds")
    return parser.parse_args(words)


def measured(servers: Sequence[EchoServer], seconds: float, rounds: int) -> dict[tuple[int, str], EchoSample]:
    """Measure every load. The servers take turns within each round."""
    samples: dict[tuple[int, str], EchoSample] = {}
    for connections in LOADS:
        found: dict[str, list[EchoSample]] = {server.title: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                found[server.title].append(server.round(connections, seconds))
        for title, rounds_of in found.items():
            samples[connections, title] = sample = middle(rounds_of)
            print(f"  {connections} connections: {title} {sample.echoes:,.0f}/s", file=sys.stderr, flush=True)
    return samples


def report(
    samples: dict[tuple[int, str], EchoSample], checks: Sequence[Check], beside: str, seconds: float, rounds: int
) -> str:
    """The part of the page."""
    return TEXT.format(
        rounds=rounds,
        seconds=seconds,
        workers=WORKERS,
        beside=BESIDE.format(title=beside) if beside else ALONE,
        table=markdown_table(HEADINGS, [row(key, sample) for key, sample in samples.items()], left=2),
        checks=markdown_table(CHECK_HEADINGS, check_rows(checks)),
    )


def main() -> int:
    """0 if all targets are met."""
    options = arguments()
    if options.quick:
        options.seconds, options.rounds = 1.0, 1
    subjects: dict[str, Sequence[str]] = {OURS: tuple(shlex.split(options.rr)) or rr.RR}
    beside = ""
    if command := tuple(shlex.split(options.beside)):
        beside = f"RoadRunner {machine.version(*command, '--version')}"
        subjects[beside] = command
    try:
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(serving(words, title)) for title, words in subjects.items()]
            samples = measured(servers, options.seconds, options.rounds)
    except NotUp as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    checks = echo_checks(samples, beside)
    print(text_table(HEADINGS, [row(key, sample) for key, sample in samples.items()], left=2))
    print(draw("Targets", checks))
    if not (options.quick or options.rr):
        put_part(PAGE_FILE, "tcp", report(samples, checks, beside, options.seconds, options.rounds))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
