"""Producers and consumers of jobs in Python and PHP, against a running server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.sdk.jobs import AsyncJobs, Jobs, NewJob
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.job_runs import WORKER, Runs
from support.php import require_php
from support.server import Server

ROOT = Path(__file__).parents[2]

PYTHON_WORKER = """
import asyncio, json, os
from pyroadrunner.sdk.jobs import Handlers

handlers = Handlers()
runs = open(os.environ["RUNS"], "ab", buffering=0)

def note(task):
    import base64, time
    runs.write(json.dumps({"id": task.id, "name": task.name, "pipeline": task.pipeline, "driver": task.driver,
        "queue": task.queue, "headers": dict(task.headers), "payload": base64.b64encode(task.payload).decode(),
        "failed": task.failed_attempts, "pid": os.getpid(), "time": time.time()}).encode() + b"\\n")

@handlers.job("blocking")
def blocking(task):
    note(task)

@handlers.job("asynchronous")
async def asynchronous(task):
    await asyncio.sleep(0.001)
    note(task)

@handlers.job("again")
def again(task):
    note(task)
    if task.header("TRIED") is None:
        task.requeue("later", headers={"tried": "yes", "many": ["a", "b"]})

@handlers.job("rejected")
def rejected(task):
    note(task)
    task.nack("no")

@handlers.job("raises")
def raises(task):
    note(task)
    if task.failed_attempts == 0:
        raise ValueError("the first time")

handlers.serve()
"""


@pytest.fixture(scope="module", params=["python", "php"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "worker.py").write_text(PYTHON_WORKER, "utf-8")
    command = f"{sys.executable} worker.py" if request.param == "python" else f"{require_php()} {WORKER}"
    config = {
        "server": {"command": command, "env": {"RUNS": str(folder / "runs")}},
        "jobs": {
            "pool": {"num_workers": 1},
            "consume": ["p"],
            "pipelines": {"p": {"driver": "memory", "dead_letter": "dead"}, "dead": {"driver": "memory"}},
        },
    }
    with Server(folder, config) as server:
        yield server


@pytest.fixture
def runs(server: Server) -> Runs:
    return Runs(server.folder / "runs")


@pytest.fixture
def jobs(server: Server) -> Iterator[Jobs]:
    with Jobs(RpcClient(server.rpc)) as jobs:
        yield jobs


def is_python(server: Server) -> bool:
    return "worker.py" in server.config["server"]["command"]


def test_a_pushed_job_runs_with_all_its_fields(server: Server, jobs: Jobs, runs: Runs) -> None:
    name = "blocking" if is_python(server) else "Job"
    one = jobs.push("p", name, b"\x00\xff", headers={"a": ["1", "2"], "b": "3"})
    many = [NewJob(name=name, payload=str(number)) for number in range(20)]
    jobs.push_many("p", many)
    (run,) = runs.wait([one])
    assert (run.name, run.pipeline, run.driver, run.payload) == (name, "p", "memory", b"\x00\xff")
    assert run.headers == {"a": ["1", "2"], "b": ["3"]}
    assert [run.id for run in runs.wait([job.id for job in many])] == [job.id for job in many]


def test_the_handlers_of_python(server: Server, jobs: Jobs, runs: Runs) -> None:
    if not is_python(server):
        return
    runs.wait([jobs.push("p", "asynchronous")])
    again = jobs.push("p", "again", headers={"h": "x"})
    _, second = runs.wait([again], times=2)
    assert second.headers == {"h": ["x"], "tried": ["yes"], "many": ["a", "b"]}
    first, second = runs.wait([jobs.push("p", "raises")], times=2)
    assert (first.failed, second.failed) == (0, 1)
    rejected = jobs.push("p", "rejected")
    runs.wait([rejected])
    server.wait_for('"reason": "rejected"')
    jobs.push("p", "unknown")
    server.wait_for("no handler for the job 'unknown'; there are again, asynchronous, blocking, raises, rejected")


def test_pipelines_are_controlled(server: Server, jobs: Jobs) -> None:
    jobs.declare("dyn", "memory", priority=3, prefetch=10)
    found = {stat.pipeline: stat for stat in jobs.stats()}["dyn"]
    assert (found.driver, found.priority, found.ready, found.state) == ("memory", 3, False, "paused")
    jobs.resume("dyn")
    jobs.pause("dyn")
    with pytest.raises(CallFailed, match="no active listeners, nothing to pause"):
        jobs.pause("dyn")
    jobs.destroy("dyn")
    assert "dyn" not in {stat.pipeline for stat in jobs.stats()}


def test_the_asyncio_client(server: Server, runs: Runs) -> None:
    name = "blocking" if is_python(server) else "Job"

    async def main() -> list[str]:
        async with AsyncJobs(AsyncRpcClient(server.rpc)) as jobs:
            ids = await asyncio.gather(*(jobs.push("p", name, str(number)) for number in range(20)))
            await jobs.declare("dyn", "memory")
            await jobs.push_many("dyn", [NewJob(name=name)])
            await jobs.resume("dyn")
            await jobs.pause("dyn")
            assert "dyn" in {stat.pipeline for stat in await jobs.stats()}
            await jobs.destroy("dyn")
            return list(ids)

    runs.wait(asyncio.run(main()))


def test_the_producer_of_php(server: Server, runs: Runs) -> None:
    name = "blocking" if is_python(server) else "Job"
    script = f"""
        require {json.dumps(str(ROOT / "php" / "autoload.php"))};
        use PyRoadRunner\\Jobs\\Jobs;
        use PyRoadRunner\\Jobs\\NewJob;
        $jobs = Jobs::create();
        $one = new NewJob('{name}', "\\0\\xff", ['a' => ['1', '2'], 'b' => '3', '7' => 'x'], priority: -2);
        $jobs->push('p', $one);
        $many = array_map(fn (int $n): NewJob => new NewJob('{name}', (string) $n), range(0, 99));
        $jobs->pushMany('p', $many);
        $jobs->declare('dyn', 'memory', ['priority' => 3]);
        $stats = array_column($jobs->stats(), null, 'pipeline')['dyn'];
        $jobs->resume('dyn');
        $jobs->pause('dyn');
        $error = '';
        try {{ $jobs->pause('dyn'); }} catch (PyRoadRunner\\Rpc\\RpcException $e) {{ $error = $e->getMessage(); }}
        $jobs->destroy('dyn');
        echo json_encode([$one->id, array_map(fn ($job) => $job->id, $many), $stats, $error]);
    """
    done = subprocess.run(
        [require_php(), "-d", "display_errors=stderr", "-r", script],
        env={**os.environ, "RR_RPC": server.rpc},
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    one, many, stats, error = json.loads(done.stdout)
    (run,) = runs.wait([one])
    assert (run.payload, run.headers) == (b"\x00\xff", {"a": ["1", "2"], "b": ["3"], "7": ["x"]})
    assert len(runs.wait(many)) == 100
    assert (stats["driver"], stats["priority"], stats["state"]) == ("memory", 3, "paused")
    assert error == "no active listeners, nothing to pause"
