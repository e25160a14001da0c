"""Overviews of a server that does not exist, for ``rr top``."""

from __future__ import annotations

from typing import Any

STARTED = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
PID = 4711


def worker(pid: int, pool: str = "http", **fields: Any) -> dict[str, Any]:
    """A worker as in ``informer.Overview``; by default an idle one."""
    defaults = {
        "pid": pid,
        "status": 1,
        "numExecs": 1234,
        "created": STARTED,
        "memoryUsage": 24_000_000,
        "CPUPercent": 12.5,
        "command": "",
        "statusStr": "ready",
        "pool": pool,
        "activity": "",
        "activitySince": 0,
        "cpuSeconds": 10.0,
    }
    return {**defaults, **fields}


def busy(pid: int, activity: str, since: int, pool: str = "http", **fields: Any) -> dict[str, Any]:
    """A worker that runs a call.

    Args:
        since: when the call began, unix nanoseconds.
    """
    return worker(pid, pool, status=2, statusStr="working", activity=activity, activitySince=since, **fields)


def pool(name: str, **fields: Any) -> dict[str, Any]:
    """A pool; by default an idle one with two workers."""
    defaults = {
        "name": name,
        "workers": 2,
        "busy": 0,
        "free": 2,
        "queued": 0,
        "oldestWait": 0.0,
        "calls": 1000,
        "failed": 3,
    }
    return {**defaults, **fields}


def pipeline(name: str, **fields: Any) -> dict[str, Any]:
    """A pipeline; by default an idle one."""
    defaults = {
        "name": name,
        "driver": "memory",
        "queue": f"memory://{name}",
        "state": "ready",
        "error": "",
        "running": 0,
        "active": 0,
        "delayed": 0,
        "reserved": 0,
        "done": 100,
        "failed": 2,
    }
    return {**defaults, **fields}


def plugin(name: str, **parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A plugin with ``pools``, ``workers``, ``pipelines``."""
    return {"name": name, "pools": [], "workers": [], "pipelines": [], **parts}


def overview(*plugins: dict[str, Any], after: float = 60.0, pid: int = PID) -> dict[str, Any]:
    """A reply of ``informer.Overview``.

    Args:
        after: seconds since the start of the server.
    """
    time = STARTED + int(after * SECOND)
    return {"time": time, "pid": pid, "version": "1.2.3", "started": STARTED, "plugins": list(plugins)}


def shop(after: float, *, calls: int, done: int) -> dict[str, Any]:
    """A shop under load: two pools of http, a pool of jobs with three pipelines, a service.

    Args:
        calls: that http has had so far; the other counters grow with it.
        done: jobs so far.
    """
    now = STARTED + int(after * SECOND)
    paths = ("GET /products/42", "POST /cart", "GET /search", "GET /", "GET /img/logo.svg", "POST /checkout")
    used = after / 4
    http = [
        busy(
            6200 + number,
            paths[number % len(paths)],
            now - (number + 1) * SECOND // 50,
            numExecs=calls // 12 + number * 37,
            memoryUsage=31_000_000 + number * 731_000,
            cpuSeconds=used * (1 + number % 3 / 4),
        )
        if number % 4
        else worker(6200 + number, numExecs=calls // 12 + number * 37, cpuSeconds=used, memoryUsage=30_400_000)
        for number in range(12)
    ]
    slow = [
        busy(6301, "GET /reports/2026", now - 42 * SECOND, "http.reports", numExecs=17, cpuSeconds=after * 0.98),
        busy(6302, "GET /export.csv", now - 7 * SECOND, "http.reports", numExecs=21, cpuSeconds=after * 0.4),
    ]
    jobs = [
        busy(6401, "job send-mail 7f3c of mails", now - SECOND // 5, "jobs", numExecs=done // 2),
        busy(6402, "job resize c1d9 of images", now - 3 * SECOND, "jobs", numExecs=done // 2),
    ]
    return overview(
        plugin(
            "http",
            pools=[
                pool("http", workers=12, busy=9, free=3, calls=calls, failed=12),
                pool(
                    "http.reports", busy=2, free=0, queued=4, oldestWait=11.5, calls=calls // 900, failed=calls // 5000
                ),
            ],
            workers=http + slow,
        ),
        plugin(
            "jobs",
            pools=[pool("jobs", busy=2, free=0, calls=done, failed=0)],
            workers=jobs,
            pipelines=[
                pipeline("mails", running=1, active=118, done=done, driver="redis"),
                pipeline("images", running=1, active=7, delayed=2, done=done // 3, driver="amqp"),
                pipeline("reports", state="failed", error="connection refused", driver="sqs", done=0),
            ],
        ),
        plugin(
            "service", workers=[worker(6501, "", command="/usr/bin/php cron.php", statusStr="", created=0, numExecs=0)]
        ),
        after=after,
    )
