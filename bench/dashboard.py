"""What the dashboard costs: latency under a steady load, with the section absent, present, and with pages open; CPU and
memory when nobody looks.

The servers run side by side and get the load in turns, since the machine is not equally fast all the time. h2load sends
at a steady rate; wrk would send faster to a faster server.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench import rr
from bench.client import free_port
from bench.processes import usage

TOKEN = "a-token-of-the-bench"
CLIENTS = 64
PAGES = ("overview", "workers", "logs")
VARIANTS = ("absent", "present", "watched")


def latencies(port: int, rate: int, seconds: float) -> list[int]:
    """Microseconds of each request, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["h2load", "--h1", "-t1", f"-c{CLIENTS}", f"--rps={rate / CLIENTS:g}", f"-D{seconds:g}"]
        url = f"http://127.0.0.1:{port}/"
        subprocess.run([*command, f"--log-file={log}", url], check=True, stdout=subprocess.DEVNULL)
        return sorted(int(line.split()[2]) for line in log.read_text().splitlines())


@contextlib.contextmanager
def watching(address: str) -> Iterator[None]:
    """Open pages, read as a browser does."""
    host, _, port = address.partition(":")
    answers = []
    for page in PAGES:
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", f"/api/stream?id={page}", headers={"Authorization": f"Bearer {TOKEN}"})
        answers.append(connection.getresponse())
    for answer in answers:
        threading.Thread(target=answer.read, daemon=True).start()
    yield


def cpu_ms_per_second(roots: tuple[int, ...], seconds: float) -> float:
    """CPU time of an idle server."""
    before = usage(roots).server_cpu_seconds
    time.sleep(seconds)
    return (usage(roots).server_cpu_seconds - before) * 1000 / seconds


def main(rounds: int = 60, rate: int = 10_000, seconds: float = 2.0, workers: int = 64) -> None:
    address = f"127.0.0.1:{free_port()}"
    pool = {"pool": {"num_workers": workers}}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in VARIANTS}
    section = {"dashboard": {"address": address, "token": TOKEN}}
    with rr.serving(http=pool) as plain, rr.serving(http=pool, sections=section) as shown:
        idle = {name: cpu_ms_per_second(one.roots, 10) for name, one in (("absent", plain), ("present", shown))}
        rss = {name: usage(one.roots).server_rss_mb for name, one in (("absent", plain), ("present", shown))}
        for number in range(rounds):
            order = VARIANTS[number % 3 :] + VARIANTS[: number % 3]
            for name in order:
                with watching(address) if name == "watched" else contextlib.nullcontext():
                    times = latencies((plain if name == "absent" else shown).port, rate, seconds)
                sent = len(times) / seconds
                found[name].append((sent, times[len(times) // 2] / 1000, times[int(len(times) * 0.99)] / 1000))
                print(number, name, *(f"{value:.2f}" for value in found[name][-1]), flush=True)
    report = {
        name: {
            "requests_s": round(statistics.median(one[0] for one in runs)),
            "p50_ms": round(statistics.median(one[1] for one in runs), 2),
            "p99_ms": round(statistics.median(one[2] for one in runs), 2),
            "p99_ratio": round(
                statistics.median(one[2] / base[2] for one, base in zip(runs, found["absent"], strict=True)), 3
            ),
        }
        for name, runs in found.items()
    }
    print(json.dumps({"idle_cpu_ms_per_s": idle, "rss_mb": rss, **report}, indent=2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
