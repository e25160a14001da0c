"""A server with two job workers, and the rounds that it is measured in."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.broker import Broker, wait_for_port
from bench.client import NotUp, free_port
from bench.job_samples import JobSample, job_rate, read_runs, wait_p99_ms
from bench.processes import cpu_of
from bench.rr import executable, write
from bench.subject import PHP, PHP_FILES, WORKERS, process
from pyroadrunner.proto.jobs.v1.jobs_pb2 import Empty, Pipelines, Stats
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed, Unreachable

COMMANDS = {
    "PHP": (*PHP, str(PHP_FILES / "jobs.php")),
    "Python": (sys.executable, str(Path(__file__).parent / "jobs_worker.py")),
}
CLIENTS = 2
BATCH = 100
PACE = 200  # pushes/s while the wait is measured
MOST_PUSHES = 20_000  # a round; RoadRunner ends in a panic once a paused pipeline in memory holds 100,000 jobs
_BUSY, _IDLE = "busy", "idle"  # a pipeline that is consumed, and one that is paused
_PATIENCE = 20.0  # seconds for pipelines to connect
_STALLED = 5.0  # seconds without a run after which a round ends
_LONGEST = 20.0  # seconds that jobs have to run, once they are pushed


class PushFailed(Exception):
    """A client got an error."""


@dataclass(frozen=True, kw_only=True)
class Pushes:
    """What a client saw.

    Attributes:
        begin, end: nanoseconds of the monotonic clock.
    """

    jobs: int
    begin: int
    end: int
    p99_us: float

    @property
    def rate(self) -> float:
        return self.jobs / (self.end - self.begin) * 1e9


class JobServer:
    """A running server.

    Args:
        runs: the file of the workers.
        topics: names the topic of a pipeline; empty = jobs have none.
    """

    def __init__(self, title: str, pid: int, address: str, runs: Path, topics: Mapping[str, str]) -> None:
        self.title = title
        self._pid = pid
        self._address = address
        self._runs = runs
        self._topics = topics
        self._expected = 0.0  # jobs/s

    def warm_up(self) -> None:
        """Run some jobs, and see how many fit into a round."""
        self._expected = max(1.0, self.burst(CLIENTS * BATCH, BATCH // 10)[0])

    def round(self, seconds: float) -> JobSample:
        """One round of three loads: single pushes, a burst, single jobs at a steady rate."""
        pushes = self.push(_IDLE, MOST_PUSHES // CLIENTS, 1, seconds=seconds)
        jobs, server_us, not_run = self.burst(int(self._expected * seconds))
        self._expected = max(1.0, jobs)
        begin = time.monotonic_ns()
        paced = self.push(_BUSY, max(1, int(PACE * seconds)), 1, rate=PACE, clients=1)
        wanted = sum(one.jobs for one in paced)
        self._wait(begin, wanted)
        waits = self._seen(begin)
        return JobSample(
            pushes=sum(one.rate for one in pushes),
            push_p99_us=max(one.p99_us for one in pushes),
            jobs=jobs,
            wait_p99_ms=wait_p99_ms(waits),
            server_us=server_us,
            not_run=not_run + wanted - len(waits),
        )

    def burst(self, jobs: int, batch: int = BATCH) -> tuple[float, float, int]:
        """Push jobs as fast as the server takes them: jobs/s, server CPU us per job, jobs that did not run."""
        begin, cpu = time.monotonic_ns(), cpu_of(self._pid)
        calls = max(1, jobs // (CLIENTS * batch))
        wanted = sum(one.jobs for one in self.push(_BUSY, calls * batch, batch))
        self._wait(begin, wanted)
        runs = self._seen(begin)
        used = cpu_of(self._pid) - cpu
        return job_rate(runs), used / max(1, len(runs)) * 1e6, wanted - len(runs)

    def push(
        self, pipeline: str, jobs: int, batch: int, *, rate: float = 0, seconds: float = 60, clients: int = CLIENTS
    ) -> list[Pushes]:
        """Let each client push so many jobs, for so many seconds at most.

        Raises:
            PushFailed
        """
        script = str(PHP_FILES / "push.php")
        command = ["php", script, self._address, pipeline, str(jobs), str(batch), str(rate), str(seconds)]
        command.append(self._topics.get(pipeline, ""))
        pipe = subprocess.PIPE
        running = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(clients)]
        outputs = [child.communicate() for child in running]
        for child, (_, error) in zip(running, outputs, strict=True):
            if child.returncode:
                raise PushFailed(f"{self.title}: {error.strip()}")
        return [Pushes(**json.loads(output)) for output, _ in outputs]

    def _seen(self, begin: int) -> list[Any]:
        return read_runs(self._runs.read_bytes(), begin)

    def _wait(self, begin: int, wanted: int) -> None:
        """Wait for the runs of jobs pushed since ``begin``; give up when nothing happens."""
        size = -1
        changed = time.monotonic()
        end = changed + _LONGEST
        while time.monotonic() < min(changed + _STALLED, end):
            now = self._runs.stat().st_size
            if now != size:
                size, changed = now, time.monotonic()
                if len(self._seen(begin)) >= wanted:
                    return
            time.sleep(0.02)


@contextlib.contextmanager
def serving(
    command: Sequence[str], title: str, driver: str, workers: str, broker: Broker, prefix: str
) -> Iterator[JobServer]:
    """Start a server whose pipelines have this driver, wait until it consumes, stop it at the end.

    Args:
        prefix: of the queues on the broker, so that no two servers share one.

    Raises:
        NotUp: with its output.
    """
    command = (executable(command[0]), *command[1:])
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as name:
        folder = Path(name)
        runs, log, port = folder / "runs", folder / "log", free_port()
        runs.touch()
        config = {
            "version": "3",
            "rpc": {"listen": f"tcp://127.0.0.1:{port}"},
            "server": {"command": shlex.join(COMMANDS[workers]), "relay": "pipes", "env": {"RUNS": str(runs)}},
            "logs": {"mode": "production", "level": "error"},
            "jobs": {
                "pool": {"num_workers": WORKERS},
                "consume": [_BUSY, _IDLE],  # RoadRunner declares a queue of amqp only for a pipeline that is consumed
                "pipelines": {
                    name: {"driver": driver, "config": broker.options(f"{prefix}{name}")} for name in (_BUSY, _IDLE)
                },
            },
            **broker.sections,
        }
        with process([*command, "serve", "-c", str(write(folder, config))], log, folder) as child:
            wait_for_port(port, child, log)
            address = f"tcp://127.0.0.1:{port}"
            try:
                wait_until_ready(address)
                topics = {name: f"{prefix}{name}" for name in (_BUSY, _IDLE)} if broker.topics else {}
                server = JobServer(title, child.pid, address, runs, topics)
                server.warm_up()
            except (NotUp, PushFailed) as error:
                raise NotUp(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from error
            yield server


def wait_until_ready(address: str) -> None:
    """Return when the jobs of both pipelines are received; pause one of them.

    Raises:
        NotUp: with its state.
    """
    end = time.monotonic() + _PATIENCE
    last: object = "nothing"
    with RpcClient(address) as client:
        while time.monotonic() < end:
            try:
                stats = client.call_message("jobs.Stat", Empty(), Stats).stats
                if {one.pipeline for one in stats if one.ready} == {_BUSY, _IDLE}:
                    client.call_message("jobs.Pause", Pipelines(pipelines=[_IDLE]), Empty)
                    return
                last = [str(one) for one in stats]
            except (CallFailed, Unreachable) as error:
                last = error
            time.sleep(0.05)
    raise NotUp(f"the pipeline was not ready after {_PATIENCE:.0f} s; the last was: {last}")
