"""``python -m bench.scaling``: twenty clients use a pool of two workers for a while, without and with the dynamic
allocator. Takes a minute and writes its table to ``docs/benchmarks.md``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import rr, wrk
from bench.checks import markdown_table, text_table
from bench.loads import Load
from bench.report import PAGE_FILE, put_part

SECONDS = 10
EXTRA = 8
PATIENCE = 60.0  # seconds for the pool to reach a size
LOAD = Load(name="wait", title="20 ms of waiting", path="/", connections=20, answer=b"Hello world!")
HEADINGS = (
    "Pool",
    "Requests/s",
    "p50 ms",
    "p99 ms",
    "Failed",
    "Workers then",
    "Grown after s",
    "Small again after s",
)
ALLOCATOR = {"max_workers": EXTRA, "spawn_rate": 4, "scale_up_wait": "50ms", "idle_timeout": "5s"}

TEXT = """## More workers under load

Written by `python -m bench.scaling`. `num_workers: 2`; each request waits 20 ms in its worker; 20 clients come for
{seconds} s and leave. "dynamic" has `dynamic_allocator: {allocator}`.

{table}
"""


def workers(server: rr.RoadRunner) -> int:
    """The number of workers."""
    listed = subprocess.run(server.steer("workers", "--json"), stdout=subprocess.PIPE, check=True).stdout
    return len(json.loads(listed)["http"]["workers"])


def seconds_until(holds: Callable[[], bool]) -> float:
    """Measure the time, to a third of a second.

    Raises:
        SystemExit: it took more than a minute.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(f"bench: not after {PATIENCE} s")
    return time.monotonic() - began


def row(name: str, pool: Mapping[str, Any], most: int) -> tuple[str, ...]:
    """One measurement."""
    with rr.serving(worker="slow.php", http={"pool": pool}) as server:
        load = wrk.start("load.lua", server.port, LOAD.path, connections=LOAD.connections, seconds=SECONDS)
        up = seconds_until(lambda: workers(server) >= most)
        seen = wrk.traffic(wrk.finish(load))
        there = workers(server)
        down = seconds_until(lambda: workers(server) == 2)
    times = [f"{seconds:.1f}" if most > 2 else "" for seconds in (up, down)]
    figures = (f"{seen.rate:,.0f}", f"{seen.p50_ms:,.0f}", f"{seen.p99_ms:,.0f}", str(seen.errors), str(there))
    return (name, *figures, *times)


def main() -> int:
    """Always 0: there are no targets."""
    measured = [
        row("fixed", {"num_workers": 2}, 2),
        row("dynamic", {"num_workers": 2, "dynamic_allocator": ALLOCATOR}, 2 + EXTRA),
    ]
    print(text_table(HEADINGS, measured))
    allocator = ", ".join(f"{key}: {value}" for key, value in ALLOCATOR.items())
    text = TEXT.format(seconds=SECONDS, allocator=f"{{{allocator}}}", table=markdown_table(HEADINGS, measured))
    put_part(PAGE_FILE, "scaling", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
