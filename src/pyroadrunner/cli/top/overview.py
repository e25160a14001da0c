"""Ask the server for everything that ``rr top`` shows."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from pyroadrunner.cli.plugin_workers import plugin_workers
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed

Overview = dict[str, Any]

_SAME = {
    "name": "Pipeline",
    "driver": "Driver",
    "queue": "Queue",
    "active": "Active",
    "delayed": "Delayed",
    "reserved": "Reserved",
}


def take(server: RpcClient) -> Overview:
    """The reply of ``informer.Overview``. An older server, or RoadRunner itself, is asked plugin by plugin: then it has
    no queues and no failures.

    Raises:
        Unreachable, CallFailed.
    """
    try:
        found: Overview = server.call("informer.Overview")
    except CallFailed as error:
        if "can't find method" not in str(error):
            raise
        return _of_parts(server)
    return found


def _of_parts(server: RpcClient) -> Overview:
    plugins = []
    for name in server.call("informer.List") or ():
        workers = plugin_workers(server, name)
        for worker in workers:
            worker.setdefault("pool", name)
        pipelines = [_pipeline(one) for one in server.call("informer.Jobs", name) or ()]
        pools = [] if name == "service" else _pools(workers)
        plugins.append({"name": name, "pools": pools, "workers": workers, "pipelines": pipelines})
    return {"time": time.time_ns(), "pid": 0, "version": "", "started": 0, "plugins": plugins}


def _pools(workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for name in dict.fromkeys(worker["pool"] for worker in workers):
        states = Counter(worker["statusStr"] for worker in workers if worker["pool"] == name)
        found.append(
            {
                "name": name,
                "workers": states.total(),
                "busy": states["working"],
                "free": states["ready"],
                "queued": 0,
                "oldestWait": 0.0,
                "calls": sum(worker["numExecs"] for worker in workers if worker["pool"] == name),
                "failed": 0,
            }
        )
    return found


def _pipeline(job: dict[str, Any]) -> dict[str, Any]:
    state = job.get("State") or ("ready" if job["Ready"] else "paused")
    counted = {"running": 0, "done": 0, "failed": 0}
    return (
        {new: job[old] for new, old in _SAME.items()} | counted | {"state": state, "error": job.get("ErrorMessage", "")}
    )
