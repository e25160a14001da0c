"""What the dashboard costs: latency under a steady load, with the section absent, present, and with pages open; CPU and
memory while no page is open.

The servers run side by side and get the load in turns, since the machine is not equally fast all the time. h2load sends
at a steady rate; wrk would send faster to a faster server.
"""

from __future__ import annotations

import contextlib
import json
import socket
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


def latencies(port: int, rate: int, seconds: int) -> list[int]:
    """Microseconds of each request, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = ["h2load", "--h1", "-t1", f"-c{CLIENTS}", f"--rps={rate / CLIENTS:g}", f"-D{seconds}"]
        url = f"http://127.0.0.1:{port}/"
        subprocess.run([*command, f"--log-file={log}", url], check=True, stdout=subprocess.DEVNULL)
        return sorted(int(line.split()[2]) for line in log.read_text().splitlines())


@contextlib.contextmanager
def watching(address: str) -> Iterator[None]:
    """Open pages, read as a browser does."""
    host, _, port = address.partition(":")
    readers = []
    with contextlib.ExitStack() as stack:
        for page in PAGES:
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            head = f"GET /api/stream?id={page} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            connection.sendall(head.encode())
            assert b" 200 " in connection.recv(64)
            readers.append(threading.Thread(target=_drain, args=(connection,), daemon=True))
            readers[-1].start()
            stack.callback(connection.shutdown, socket.SHUT_RDWR)
        yield
    for reader in readers:
        reader.join()


def _drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


def cpu_ms_per_second(roots: tuple[int, ...], seconds: float) -> float:
    """CPU time of an idle server."""
    before = usage(roots).server_cpu_seconds
    time.sleep(seconds)
    return (usage(roots).server_cpu_seconds - before) * 1000 / seconds


def main(rounds: int = 40, rate: int = 10_000, seconds: int = 2, workers: int = 64) -> None:
    address = f"127.0.0.1:{free_port()}"
    pool = {"pool": {"num_workers": workers}}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in VARIANTS}
    section = {"dashboard": {"address": address, "token": TOKEN}}
    with rr.serving(http=pool, sections=section) as shown, rr.serving(http=pool) as plain:
        idle = {name: cpu_ms_per_second(one.roots, 10) for name, one in (("absent", plain), ("present", shown))}
        rss = {name: usage(one.roots).server_rss_mb for name, one in (("absent", plain), ("present", shown))}
        spent: dict[str, list[float]] = {name: [0.0, 0] for name in VARIANTS}
        for number in range(rounds):
            order = VARIANTS[number % 3 :] + VARIANTS[: number % 3]
            for name in order:
                server = plain if name == "absent" else shown
                with watching(address) if name == "watched" else contextlib.nullcontext():
                    before = usage(server.roots).server_cpu_seconds
                    times = latencies(server.port, rate, seconds)
                    spent[name][0] += usage(server.roots).server_cpu_seconds - before
                    spent[name][1] += len(times)
                sent = len(times) / seconds
                found[name].append((sent, times[len(times) // 2] / 1000, times[int(len(times) * 0.99)] / 1000))
                print(number, name, *(f"{value:.2f}" for value in found[name][-1]), flush=True)
    cpu = {name: round(seconds * 1e6 / requests, 2) for name, (seconds, requests) in spent.items()}
    for name, runs in found.items():
        p50, p99 = (statistics.quantiles((run[at] for run in runs), n=4) for at in (1, 2))
        texts = (f"{label} {values[0]:.2f} / {values[1]:.2f} ms" for label, values in (("p50", p50), ("p99", p99)))
        rate_seen = statistics.median(run[0] for run in runs)
        print(f"{name}: {rate_seen:.0f} requests/s, lower quartile / median of the runs: {', '.join(texts)}")
    print(json.dumps({"idle_cpu_ms_per_s": idle, "cpu_us_per_request": cpu, "rss_mb": rss}, indent=2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
