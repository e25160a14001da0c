"""``python -m bench.grpc``, part of ``make bench``: calls and streamed responses of gRPC with two PHP workers. About a
minute; writes its table to ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, rr
from bench.checks import HEADINGS as CHECK_HEADINGS
from bench.checks import Check, draw, markdown_table, text_table
from bench.checks import rows as check_rows
from bench.client import NotUp, free_port
from bench.h2load import H2loadFailed, run
from bench.processes import cpu_of
from bench.report import PAGE_FILE, put_part
from bench.rr import executable, write
from bench.subject import PHP, PHP_FILES, WORKERS, process

OURS = "pyroadrunner"
CONNECTIONS, STREAMS = 8, 8
MESSAGES = 1000  # of a streamed response
HEADINGS = ("Load", "Subject", "Calls/s", "Mean ms", "Server CPU us", "Messages/s", "MB/s", "Errors")
TEXT = """## gRPC

Written by `python -m bench.grpc`, a part of `make bench`; medians of {rounds} rounds of {seconds:g} s for each load,
with h2load. {workers} PHP workers echo 7 bytes; {connections} connections with {streams} calls at once each, plain and
over TLS. In a streamed response, each call gets {messages} messages of 1 KB, on one connection with {workers} calls at
once. "Server CPU" is that of the server's own process for a call.
{beside}

{table}
{missing}
{checks}
"""
BESIDE = """{title} ran in the same rounds, with the same workers."""
_HEADERS = ("content-type: application/grpc", "te: trailers")
_PATIENCE = 20.0  # seconds for the start of a server
Samples = dict[tuple[str, str], "Sample"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One round of a load, or the medians of several."""

    calls: float
    mean_ms: float
    server_us: float
    messages: float
    mb: float
    errors: float


@dataclass(frozen=True, kw_only=True)
class GrpcServer:
    """A running server: its ports for gRPC, plain and over TLS."""

    title: str
    pids: dict[str, int]
    ports: dict[str, int]

    def round(self, load: str, seconds: float) -> Sample:
        """Measure a load.

        Raises:
            H2loadFailed
        """
        kind = "tls" if load == "unary, TLS" else "plain"
        url = f"{'https' if kind == 'tls' else 'http'}://127.0.0.1:{self.ports[kind]}/bench.Echo/"
        before = cpu_of(self.pids[kind])
        if load == "streamed response":
            body = framed(MESSAGES.to_bytes(4, "big") + bytes(1024))
            found = run(f"{url}Stream", body, seconds, connections=1, streams=WORKERS, headers=_HEADERS)
        else:
            body = framed(b"\n\x05hello")
            found = run(f"{url}Say", body, seconds, connections=CONNECTIONS, streams=STREAMS, headers=_HEADERS)
        used = cpu_of(self.pids[kind]) - before
        messages = found.rate * (MESSAGES if load == "streamed response" else 1)
        return Sample(
            calls=found.rate,
            mean_ms=found.mean_ms,
            server_us=used / max(1, found.requests) * 1e6,
            messages=messages,
            mb=found.data_bytes / found.seconds / 1e6,
            errors=found.errors,
        )


LOADS = ("unary", "unary, TLS", "streamed response")


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


@contextlib.contextmanager
def serving(command: Sequence[str], title: str) -> Iterator[GrpcServer]:
    """Start a server for each port: the section has one.

    Raises:
        NotUp: with its output, or because there is no such command.
    """
    command = (executable(command[0]), *command[1:])
    with tempfile.TemporaryDirectory(prefix="bench-grpc-") as name, contextlib.ExitStack() as stack:
        pids, ports = {}, {}
        for kind in ("plain", "tls"):
            folder = Path(name) / kind
            folder.mkdir()
            ports[kind] = free_port()
            config = {
                "version": "3",
                "rpc": {"listen": f"tcp://127.0.0.1:{free_port()}"},
                "server": {"command": shlex.join([*PHP, str(PHP_FILES / "grpc.php")]), "relay": "pipes"},
                "logs": {"mode": "production", "level": "error"},
                "grpc": {
                    "listen": f"tcp://127.0.0.1:{ports[kind]}",
                    "proto": [str(PHP_FILES / "echo.proto")],
                    "max_concurrent_streams": 100,
                    "pool": {"num_workers": WORKERS},
                    **({"tls": certificate(folder)} if kind == "tls" else {}),
                },
            }
            log = folder / "log"
            child = stack.enter_context(process([*command, "serve", "-c", str(write(folder, config))], log, folder))
            pids[kind] = child.pid
        server = GrpcServer(title=title, pids=pids, ports=ports)
        for load in LOADS[:2]:
            wait(server, load, Path(name))
        yield server


def wait(server: GrpcServer, load: str, folder: Path) -> None:
    """Wait until a call is answered."""
    until = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(H2loadFailed):
            if server.round(load, 0.3).calls:
                return
        if time.monotonic() > until:
            logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in folder.glob("*/log"))
            raise NotUp(f"{server.title} does not answer\n{logs}")
        time.sleep(0.1)


def certificate(folder: Path) -> dict[str, str]:
    """A certificate for loopback, made by openssl.

    Raises:
        NotUp: there is no openssl.
    """
    files = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [executable("openssl"), *command.split(), "-keyout", files["key"], "-out", files["cert"]],
        check=True,
        capture_output=True,
    )
    return files


def middle(samples: Sequence[Sample]) -> Sample:
    """The medians of several rounds; errors are summed up."""

    def of(name: str) -> float:
        values: list[float] = [getattr(sample, name) for sample in samples]
        return statistics.median(values)

    return Sample(
        calls=of("calls"),
        mean_ms=of("mean_ms"),
        server_us=of("server_us"),
        messages=of("messages"),
        mb=of("mb"),
        errors=sum(sample.errors for sample in samples),
    )


def row(load: str, title: str, sample: Sample) -> tuple[str, ...]:
    """One line under :data:`HEADINGS`."""
    streamed = load == "streamed response"
    return (
        load,
        title,
        f"{sample.calls:,.0f}",
        f"{sample.mean_ms:.2f}",
        f"{sample.server_us:,.1f}",
        f"{sample.messages:,.0f}" if streamed else "",
        f"{sample.mb:,.0f}" if streamed else "",
        f"{sample.errors:.0f}",
    )


def checks_of(samples: Samples, beside: str) -> list[Check]:
    """The targets: 1.2 times RoadRunner's calls, 1.4 times over TLS, with less CPU; no errors."""
    checks = []
    for load, least in (("unary", 1.2), ("unary, TLS", 1.4)):
        ours, other = samples.get((load, OURS)), samples.get((load, beside))
        if ours is not None and other is not None:
            what = f"{load}: calls/s of RoadRunner's"
            checks.append(Check(what=what, measured=ours.calls / other.calls, least=least, unit="x", digits=2))
            what = f"{load}: server CPU of RoadRunner's"
            checks.append(Check(what=what, measured=ours.server_us / other.server_us, most=1.0, unit="x", digits=2))
    errors = sum(sample.errors for (_, title), sample in samples.items() if title == OURS)
    checks.append(Check(what="calls that failed", measured=errors, most=0))
    return checks


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.grpc", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 1 s each, for a quick look; writes nothing")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each load (3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per subject (3)")
    parser.add_argument("--rr", default="", metavar="COMMAND", help="another server that accepts: serve -c FILE")
    parser.add_argument("--beside", default="", metavar="COMMAND", help="a RoadRunner to measure in the same rounds")
    return parser.parse_args(words)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


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
    found: dict[tuple[str, str], list[Sample]] = {}
    missing: list[str] = []
    with contextlib.ExitStack() as stack:
        servers = []
        for title, words in subjects.items():
            try:
                servers.append(stack.enter_context(serving(words, title)))
            except NotUp as error:
                say(f"bench: {error}")
                missing.append(f"{title}: it does not start")
        for load in LOADS:
            say(f"{load} ...")
            for _ in range(options.rounds):
                for server in servers:
                    if load == "streamed response" and server.title != OURS:
                        continue  # RoadRunner has none
                    found.setdefault((load, server.title), []).append(server.round(load, options.seconds))
    samples = {key: middle(rounds) for key, rounds in found.items()}
    table = [row(load, title, sample) for (load, title), sample in samples.items()]
    checks = checks_of(samples, beside)
    print(text_table(HEADINGS, table, left=2))
    print(draw("Targets", checks))
    if not (options.quick or options.rr):
        part = TEXT.format(
            rounds=options.rounds,
            seconds=options.seconds,
            workers=WORKERS,
            connections=CONNECTIONS,
            streams=STREAMS,
            messages=MESSAGES,
            beside=BESIDE.format(title=beside) if beside else "",
            table=markdown_table(HEADINGS, table, left=2),
            missing="".join(f"\nNot measured: {line}.\n" for line in missing),
            checks=markdown_table(CHECK_HEADINGS, check_rows(checks)),
        )
        put_part(PAGE_FILE, "grpc", part)
    return 0 if samples and all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
