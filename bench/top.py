"""What ``rr top`` costs the requests of a busy server: the p99 with it against that without it, in turn.

``python -m bench.top [ROUNDS]``. 64 workers and 10,000 requests per second, if the machine can. Two ways to look: in a
pipe (only what the server does), and on a terminal of this machine (which also draws). Both run all the time, and are
stopped (SIGSTOP) while they are not measured: their start would cost more than they do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator

from bench import rr
from bench.wrk import SCRIPTS, parse_report

WORKERS = 64
CONNECTIONS = 64
PAUSE_MS = 5  # between two requests of a connection: about 10,000 requests/s
SECONDS = 1
ROUNDS = 40
WITHOUT = "without"


@contextlib.contextmanager
def in_a_pipe(server: rr.RoadRunner) -> Iterator[subprocess.Popen[bytes]]:
    """``rr top --json``, twice a second."""
    with subprocess.Popen(server.steer("top", "--json", "--interval", "500ms"), stdout=subprocess.PIPE) as top:
        assert top.stdout is not None
        top.stdout.readline()
        _drain_in_background(top.stdout.fileno())
        yield top
        _end(top)


@contextlib.contextmanager
def on_a_terminal(server: rr.RoadRunner) -> Iterator[subprocess.Popen[bytes]]:
    """``rr top`` on a terminal with 50 lines of 200 characters, twice a second."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    command = server.steer("top", "--interval", "500ms")
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as top:
        os.close(slave)
        while b"requests/s" not in os.read(master, 1 << 16):
            pass
        _drain_in_background(master)
        yield top
        _end(top)


def _end(top: subprocess.Popen[bytes]) -> None:
    top.send_signal(signal.SIGCONT)
    top.terminate()


def _drain_in_background(descriptor: int) -> None:
    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 1 << 16):
                pass

    threading.Thread(target=drain, daemon=True).start()


@contextlib.contextmanager
def running(top: subprocess.Popen[bytes] | None) -> Iterator[None]:
    """It runs during the block."""
    if top is not None:
        top.send_signal(signal.SIGCONT)
    yield
    if top is not None:
        top.send_signal(signal.SIGSTOP)


def p99_and_rate(server: rr.RoadRunner) -> tuple[float, float]:
    """Milliseconds, and requests per second."""
    options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "-s", str(SCRIPTS / "paced.lua")]
    command = ["wrk", *options, f"http://127.0.0.1:{server.port}/", "--", str(PAUSE_MS)]
    report = parse_report(subprocess.run(command, capture_output=True, text=True).stdout)
    return report["p99_ms"], report["requests"] / report["seconds"]


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with (
        rr.serving(http={"pool": {"num_workers": WORKERS}}) as server,
        in_a_pipe(server) as pipe,
        on_a_terminal(server) as terminal,
    ):
        ways = {WITHOUT: None, "in a pipe": pipe, "on a terminal": terminal}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for top in (pipe, terminal):
            top.send_signal(signal.SIGSTOP)
        p99_and_rate(server)
        for number in range(rounds):
            for name in list(ways)[:: 1 if number % 2 else -1]:
                with running(ways[name]):
                    found[name].append(p99_and_rate(server))
    for name, values in found.items():
        ratios = sorted(one[0] / base[0] for one, base in zip(values, found[WITHOUT], strict=True))
        low, high = ratios[len(ratios) // 4], ratios[len(ratios) * 3 // 4]
        p99, rate = (statistics.median(column) for column in zip(*values, strict=True))
        print(
            f"{name:<14} {rate:8,.0f} requests/s   p99 {p99:6.2f} ms   {statistics.median(ratios):.3f} of without"
            f" (half of the rounds: {low:.2f} to {high:.2f})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
