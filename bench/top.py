"""What ``rr top`` costs the requests of a busy server: the p99 with it against that without it, in turn.

``python -m bench.top [ROUNDS]``. 64 workers and 10,000 requests per second, if the machine can. Two ways to look: in a
pipe (only what the server does), and on a terminal of this machine (which also draws).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator

from bench import rr
from bench.wrk import SCRIPTS, parse_report

WORKERS = 64
CONNECTIONS = 64
PAUSE_MS = 5  # between two requests of a connection: about 10,000 requests/s
SECONDS = 2
ROUNDS = 10


@contextlib.contextmanager
def nothing(_server: rr.RoadRunner) -> Iterator[None]:
    yield


@contextlib.contextmanager
def in_a_pipe(server: rr.RoadRunner) -> Iterator[None]:
    """``rr top --json``, once a second."""
    with subprocess.Popen(server.steer("top", "--json"), stdout=subprocess.PIPE) as top:
        assert top.stdout is not None
        top.stdout.readline()  # its start is not measured
        _drain_in_background(top.stdout.fileno())
        try:
            yield
        finally:
            top.terminate()


@contextlib.contextmanager
def on_a_terminal(server: rr.RoadRunner) -> Iterator[None]:
    """``rr top`` on a terminal with 50 lines of 200 characters."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(server.steer("top"), stdin=slave, stdout=slave, stderr=slave, env=env) as top:
        os.close(slave)
        while b"requests/s" not in os.read(master, 1 << 16):
            pass
        _drain_in_background(master)
        try:
            yield
        finally:
            top.terminate()


def _drain_in_background(descriptor: int) -> None:
    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 1 << 16):
                pass

    threading.Thread(target=drain, daemon=True).start()


def p99_and_rate(server: rr.RoadRunner) -> tuple[float, float]:
    """Milliseconds, and requests per second."""
    options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "-s", str(SCRIPTS / "paced.lua")]
    command = ["wrk", *options, f"http://127.0.0.1:{server.port}/", "--", str(PAUSE_MS)]
    report = parse_report(subprocess.run(command, capture_output=True, text=True).stdout)
    return report["p99_ms"], report["requests"] / report["seconds"]


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    ways: dict[str, Callable[[rr.RoadRunner], contextlib.AbstractContextManager[None]]] = {
        "without": nothing,
        "in a pipe": in_a_pipe,
        "on a terminal": on_a_terminal,
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with rr.serving(http={"pool": {"num_workers": WORKERS}}) as server:
        p99_and_rate(server)
        for number in range(rounds):
            names = list(ways)[:: 1 if number % 2 else -1]
            for name in names:
                with ways[name](server):
                    p99, rate = p99_and_rate(server)
                found[name].append(p99)
                rates[name].append(rate)
    for name, values in found.items():
        ratios = [one / base for one, base in zip(values, found["without"], strict=True)]
        print(
            f"{name:<14} {statistics.median(rates[name]):8,.0f} requests/s   p99 {statistics.median(values):6.2f} ms"
            f"   {statistics.median(ratios):.3f} of without, {min(ratios):.2f} to {max(ratios):.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
