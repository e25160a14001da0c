"""A minute of load, during which every second all workers are reset and one is killed: only requests of killed workers
may fail, and no resources may leak.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from bench import rr, wrk
from bench.checks import Check, draw
from bench.processes import descriptors, php_workers, usage

SECONDS = 60
CLIENTS = 16


def kill_one(server: rr.RoadRunner) -> bool:
    """Kill a random worker in any state; return whether there was one."""
    workers = php_workers(server.roots)
    if not workers:
        return False
    try:
        os.kill(random.choice(workers), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def checks(seconds: int = SECONDS) -> list[Check]:
    """Failed requests against kills; descriptors, processes and memory before and after."""
    kills = resets = failed_resets = 0
    with rr.serving() as server:
        main = server.roots[0]
        calm = wrk.statuses(
            wrk.finish(wrk.start("statuses.lua", server.port, "/hello", connections=CLIENTS, seconds=3))
        )
        time.sleep(1)
        files, before = descriptors(main), usage(server.roots)
        load = wrk.start("statuses.lua", server.port, "/hello", connections=CLIENTS, seconds=seconds)
        early = before
        end = time.monotonic() + seconds
        while time.monotonic() < end - 1:
            second = time.monotonic() + 1
            reset = subprocess.run(server.steer("reset"), capture_output=True, check=False)
            resets += 1
            failed_resets += reset.returncode != 0
            time.sleep(max(0.0, second - time.monotonic()) / 2)
            kills += kill_one(server)
            time.sleep(max(0.0, second - time.monotonic()))
            if early is before and end - time.monotonic() < seconds * 3 / 4:
                early = usage(server.roots)
        seen = wrk.statuses(wrk.finish(load))
        late = usage(server.roots)
        time.sleep(3)  # wait for connections to close and replaced workers to exit
        files_after, after = descriptors(main), usage(server.roots)
    failed = seen.overloaded + seen.other + seen.unanswered
    return [
        Check(what="answered with 200 a second, undisturbed", measured=calm.ok / 3, least=1),
        Check(what="answered with 200 a second", measured=seen.ok / seconds, least=calm.ok / 3 / 2),
        Check(what="resets", measured=resets, least=seconds * 0.7),
        Check(what="resets that failed", measured=failed_resets, most=0),
        Check(what="workers killed", measured=kills, least=seconds * 0.7),
        Check(what="requests that failed (at most one per kill)", measured=failed, most=kills),
        Check(what="p99", measured=seen.p99_ms, most=60, unit="ms", digits=1),
        Check(what="not answered at all", measured=seen.unanswered, most=0),
        Check(what="descriptors more than before", measured=files_after - files, most=0),
        Check(what="processes more than before", measured=after.processes - before.processes, most=0),
        Check(what="memory before", measured=before.server_rss_mb, unit="MB", digits=1),
        Check(
            what="growth from the first quarter to the end",
            measured=late.server_rss_mb - early.server_rss_mb,
            most=5,
            unit="MB",
            digits=1,
        ),
        Check(what="memory after", measured=after.server_rss_mb, unit="MB", digits=1),
    ]


if __name__ == "__main__":
    measured = checks()
    print(draw(f"{SECONDS} s of load, a reset and a kill -9 every second", measured))
    sys.exit(not all(check.holds for check in measured))
