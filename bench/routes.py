"""``python -m bench.routes``: overload of one slow path, and its effect on other paths, without and with a separate
pool. Takes half a minute and writes its table to ``docs/benchmarks.md``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from bench import rr, wrk
from bench.checks import markdown_table, text_table
from bench.loads import Load
from bench.report import PAGE_FILE, put_part

SECONDS = 8
SLOW_CLIENTS = 200
WORKERS = 4
HELLO = Load(name="hello", title="hello", path="/hello", connections=8, answer=b"Hello world!")
HEADINGS = ("Pools", "/slow", "Hello, requests/s", "p50 ms", "p99 ms", "Hello, errors")

ONE: dict[str, Any] = {"pool": {"num_workers": WORKERS}}
OWN: dict[str, Any] = {
    "pool": {"num_workers": WORKERS // 2},
    "routes": [{"match": "/slow", "pool": {"num_workers": WORKERS // 2}}],
}

TEXT = """## One slow path

Written by `python -m bench.routes`. {workers} workers; `/slow` takes 100 ms of waiting and has {clients} clients, far
more than it can serve; 8 other clients ask for a page that takes no time. "one" is `http.pool` for everything, "own" is
`http.routes: [{{match: /slow, pool: ...}}]`, with half of the workers each. Rows with a quiet
`/slow` differ only by the noise of the machine, which has fewer cores than workers.

{table}
"""


def row(name: str, config: Mapping[str, Any], *, overload: bool) -> tuple[str, ...]:
    """One measurement."""
    with rr.serving(worker="mixed.php", http=config) as server:
        wrk.run(server.port, HELLO, 1)
        slow = (
            wrk.start("statuses.lua", server.port, "/slow", connections=SLOW_CLIENTS, seconds=SECONDS + 3)
            if overload
            else None
        )
        try:
            if slow is not None:
                wrk.run(server.port, HELLO, 1)  # the queue fills
            hello = wrk.run(server.port, HELLO, SECONDS)
        finally:
            if slow is not None:
                slow.terminate()
                slow.communicate()
    shown = [f"{value:,.1f}" if math.isfinite(value) else "never" for value in (hello.p50_ms, hello.p99_ms)]
    return (name, "overloaded" if overload else "idle", f"{hello.rate:,.0f}", *shown, str(hello.errors))


def main() -> int:
    """Always 0: there are no targets."""
    measured = [
        row("one", ONE, overload=False),
        row("one", ONE, overload=True),
        row("own", OWN, overload=False),
        row("own", OWN, overload=True),
    ]
    print(text_table(HEADINGS, measured, left=2))
    table = markdown_table(HEADINGS, measured, left=2)
    put_part(PAGE_FILE, "routes", TEXT.format(workers=WORKERS, clients=SLOW_CLIENTS, table=table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
