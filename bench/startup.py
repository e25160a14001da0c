"""Measure the time until ``rr serve`` responds, and the time of a command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import bare, rr
from bench.checks import Check, draw
from bench.client import free_port, wait_until_up
from bench.subject import process

ROUNDS = 5


def php_boot_seconds() -> float:
    """Time from the start of a worker to its handshake: the minimum for any server."""
    start = time.perf_counter()
    worker = bare.Worker()
    took = time.perf_counter() - start
    worker.stop()
    return took


def ready_seconds() -> float:
    """Time from the start of ``rr serve`` to its first response."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as name:
        folder, port = Path(name), free_port()
        config = rr.write(folder, rr.settings(port, free_port(), "worker.php", {}))
        start = time.perf_counter()
        with process([*rr.RR, "serve", "-c", str(config)], folder / "log", folder):
            wait_until_up(port)
            return time.perf_counter() - start


def command_seconds(command: list[str]) -> float:
    """Time from the start of a command to its exit.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def checks() -> list[Check]:
    """Check the medians of five runs."""
    boot = median(php_boot_seconds() for _ in range(ROUNDS))
    ready = median(ready_seconds() for _ in range(ROUNDS))
    with rr.serving() as server:
        workers = median(command_seconds(server.steer("workers")) for _ in range(ROUNDS))
        version = median(command_seconds([*server.command, "--version"]) for _ in range(ROUNDS))
    return [
        Check(what="a PHP worker's boot", measured=boot, unit="s", digits=3),
        Check(what="rr serve answers, less the boot", measured=ready - boot, most=0.5, unit="s", digits=3),
        Check(what="rr workers", measured=workers, most=0.3, unit="s", digits=3),
        Check(what="rr --version", measured=version, most=0.3, unit="s", digits=3),
    ]


if __name__ == "__main__":
    measured = checks()
    print(draw("Starting", measured))
    sys.exit(not all(check.holds for check in measured))
