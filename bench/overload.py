"""Far more clients than the workers can serve, for 20 seconds: all requests get a response, memory stays flat, and
latency is normal again after a second.

The workers serve 100 requests per second. 2000 connections send the next request right after each response, so the
queue (1024 by default) is always full, and further requests are refused immediately.
"""

from __future__ import annotations

import sys
import time

from bench import rr, wrk
from bench.checks import Check, draw
from bench.loads import Load
from bench.processes import PeakMemory, usage

SECONDS = 20
CLIENTS = 2000
RECOVERY_SECONDS = 1.0
CALM = Load(name="calm", title="two clients", path="/", connections=2, answer=b"Hello world!")


def checks(seconds: int = SECONDS) -> list[Check]:
    """Check the latency of two clients before and after, and statuses and memory in between."""
    with rr.serving(worker="slow.php") as server:
        calm = wrk.run(server.port, CALM, 3)
        before = usage(server.roots).server_rss_mb
        load = wrk.start("statuses.lua", server.port, "/", connections=CLIENTS, seconds=seconds)
        time.sleep(seconds / 4)
        early = usage(server.roots).server_rss_mb
        with PeakMemory(server.roots) as memory:
            seen = wrk.statuses(wrk.finish(load))
        time.sleep(RECOVERY_SECONDS)
        after = wrk.run(server.port, CALM, 3)
        settled = usage(server.roots).server_rss_mb
    return [
        Check(what="answered with 200", measured=seen.ok, least=1),
        Check(what="answered with 503", measured=seen.overloaded, least=1),
        Check(what="answered with anything else", measured=seen.other, most=0),
        Check(what="not answered", measured=seen.unanswered, most=0),
        Check(what="memory before", measured=before, unit="MB", digits=1),
        Check(what="memory early in the overload", measured=early, unit="MB", digits=1),
        Check(what="growth from there on", measured=memory.rss_mb - early, most=10, unit="MB", digits=1),
        Check(what="memory after", measured=settled, unit="MB", digits=1),
        Check(what="p99 of two clients before", measured=calm.p99_ms, unit="ms", digits=1),
        Check(what="p99 one second after", measured=after.p99_ms, most=calm.p99_ms * 1.5 + 2, unit="ms", digits=1),
        Check(what="requests in 3 s before", measured=calm.requests, least=1),
        Check(what="requests in 3 s, one second after", measured=after.requests, least=0.9 * calm.requests),
        Check(what="failures after", measured=after.errors, most=0),
    ]


if __name__ == "__main__":
    measured = checks()
    print(draw(f"{SECONDS} s of {CLIENTS} clients on two slow workers", measured))
    sys.exit(not all(check.holds for check in measured))
