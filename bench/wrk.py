"""Run wrk, the load generator, and parse the line of JSON that its scripts print at the end."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.loads import SERIAL, Load

SCRIPTS = Path(__file__).parent / "wrk"
MARK = "bench: "


class WrkFailed(Exception):
    """wrk exited without a report; the text is its output."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Results of one run of wrk. ``bad_status`` counts responses with a status of 400 or more, the other counters
    errors below HTTP."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bytes: int
    bad_status: int
    connect: int
    read: int
    write: int
    timeout: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> int:
        return self.bad_status + self.connect + self.read + self.write + self.timeout


@dataclass(frozen=True, kw_only=True)
class Statuses:
    """Responses by status, requests without a response, and the latency that 1 % exceeded."""

    ok: int
    overloaded: int
    other: int
    connect: int
    read: int
    write: int
    timeout: int
    p99_ms: float

    @property
    def unanswered(self) -> int:
        return self.connect + self.read + self.write + self.timeout


def parse_report(output: str) -> dict[str, float]:
    """Parse the line that starts with ``bench: ``.

    Raises:
        WrkFailed: the line is missing.
    """
    for line in reversed(output.splitlines()):
        if line.startswith(MARK):
            report: dict[str, float] = json.loads(line.removeprefix(MARK))
            return report
    raise WrkFailed(output.strip() or "wrk printed nothing")


def command(
    script: str,
    port: int,
    path: str,
    *,
    connections: int,
    seconds: float,
    post_bytes: int = 0,
    headers: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """The command line of wrk. It has one thread, since it shares the machine with the subject."""
    options = ["-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s", "--timeout", "60s"]
    for name, value in headers:
        options += ["-H", f"{name}: {value}"]
    url = f"http://127.0.0.1:{port}{path}"
    return ["wrk", *options, "-s", str(SCRIPTS / script), url, "--", str(post_bytes), SERIAL]


def start(script: str, port: int, path: str, *, connections: int, seconds: float) -> subprocess.Popen[str]:
    """Start wrk without waiting; :func:`finish` returns its report."""
    return subprocess.Popen(
        command(script, port, path, connections=connections, seconds=seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a started wrk.

    Raises:
        WrkFailed: it ended without a report.
    """
    output, _ = process.communicate()
    return parse_report(output)


def run(port: int, load: Load, seconds: float) -> Traffic:
    """Run one load on a server.

    Raises:
        WrkFailed: wrk ended without a report.
    """
    line = command(
        "load.lua",
        port,
        load.path,
        connections=load.connections,
        seconds=seconds,
        post_bytes=load.post_bytes,
        headers=load.sent_headers,
    )
    ended = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return traffic(parse_report(ended.stdout))


def traffic(report: dict[str, float]) -> Traffic:
    """The report of ``load.lua``.

    wrk reports a latency of 0 if no request got a response, which would look like the best result: here it is infinite.
    """
    counts = {
        name: int(report[name]) for name in ("requests", "bytes", "bad_status", "connect", "read", "write", "timeout")
    }
    p50_ms, p99_ms = (report["p50_ms"], report["p99_ms"]) if counts["requests"] else (math.inf, math.inf)
    return Traffic(seconds=report["seconds"], p50_ms=p50_ms, p99_ms=p99_ms, **counts)


def statuses(report: dict[str, float]) -> Statuses:
    """The report of ``statuses.lua``."""
    counts = {name: int(count) for name, count in report.items() if name != "p99_ms"}
    return Statuses(**counts, p99_ms=report["p99_ms"])
