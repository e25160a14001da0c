"""A real server with PHP workers that run jobs as their payloads say, and the file of their runs."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pyroadrunner.proto.jobs.v1 import jobs_pb2 as pb
from pyroadrunner.sdk.jobs import Jobs, NewJob, PipelineStat
from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.rpc.encoding import Message, MessageType
from support.php import require_php
from support.ports import free_port
from support.server import Server

WORKER = Path(__file__).parent / "workers" / "jobs.php"
PATIENCE = 60.0  # seconds
M = TypeVar("M")


@dataclass(frozen=True)
class Run:
    """One run of a job."""

    id: str
    name: str
    pipeline: str
    driver: str
    queue: str
    headers: Mapping[str, list[str]]
    payload: bytes
    failed: int
    pid: int
    time: float


class Runs:
    """The file to which the workers write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._found: list[Run] = []
        self._read = 0  # bytes

    def all(self) -> list[Run]:
        """All runs so far; a worker that was killed while it wrote leaves half a line."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._read += len(complete)
        for line in complete.splitlines():
            try:
                data = json.loads(line)
            except ValueError:
                continue
            self._found.append(Run(**{**data, "payload": base64.b64decode(data["payload"])}))
        return self._found

    def of(self, *ids: str) -> list[Run]:
        """The runs of these jobs."""
        wanted = set(ids)
        return [run for run in self.all() if run.id in wanted]

    def wait(self, ids: Sequence[str], times: int = 1, patience: float = PATIENCE) -> list[Run]:
        """Wait until each of these jobs ran so often; return their runs."""
        until = time.monotonic() + patience
        while True:
            found = self.of(*ids)
            counts = Counter(run.id for run in found)
            late = {name: counts[name] for name in ids if counts[name] < times}
            if not late:
                return found
            assert time.monotonic() < until, (
                f"{len(late)} jobs did not run {times} times: {dict(list(late.items())[:5])}"
            )
            time.sleep(0.01)


class PatientRpc(RpcClient):
    """A client with more time for a call than the 10 s of applications."""

    def call_message(
        self, method: str, request: Message, result: MessageType[M], timeout: float | None = PATIENCE
    ) -> M:
        return super().call_message(method, request, result, timeout)


class JobServer:
    """``rr serve`` with an empty ``jobs`` section; each test declares its pipelines.

    Attributes:
        jobs: a client.
    """

    def __init__(
        self, folder: Path, sections: Mapping[str, Any], *, workers: int = 2, env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.runs = Runs(folder / "runs")
        config = {
            **sections,
            "server": {"command": f"{require_php()} {WORKER}", "env": {"RUNS": str(self.runs.path)}},
            "jobs": {"pool": {"num_workers": workers}, "timeout": 20},
            "metrics": {"address": f"127.0.0.1:{free_port()}"},
            "status": {"address": f"127.0.0.1:{free_port()}"},
        }
        self.server = Server(folder, config, env=env)
        self._rpc: RpcClient | None = None

    @property
    def rpc(self) -> RpcClient:
        """A connection to the server."""
        if self._rpc is None:
            self._rpc = PatientRpc(self.server.rpc)
        return self._rpc

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.rpc)

    def disconnect(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._rpc is not None:
            self._rpc.close()


class Queue:
    """A pipeline of one test.

    Attributes:
        name: of the pipeline.
    """

    def __init__(self, server: JobServer, name: str, driver: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.runs = server.runs
        self.metrics: str = server.server.config["metrics"]["address"]
        self._server = server
        self._driver = driver
        self._options = options

    def declare(self, *, resume: bool = True) -> None:
        self._server.jobs.declare(self.name, self._driver, **self._options)
        if resume:
            self.resume()

    def resume(self) -> None:
        self._server.jobs.resume(self.name)

    def pause(self) -> None:
        self._server.jobs.pause(self.name)

    def destroy(self) -> None:
        self._server.jobs.destroy(self.name)

    def push(self, order: Mapping[str, Any] | bytes | None = None, **fields: Any) -> str:
        """Push a job that does what ``order`` says; return its id."""
        payload = order if isinstance(order, bytes) else json.dumps(order or {}).encode()
        job = NewJob(name="Job", payload=payload, **fields)
        self._server.jobs.push_many(self.name, [job])
        return job.id

    def push_many(self, orders: Sequence[Mapping[str, Any]], **fields: Any) -> list[str]:
        """Push jobs in one batch; return their ids."""
        jobs = [NewJob(name="Job", payload=json.dumps(order).encode(), **fields) for order in orders]
        self._server.jobs.push_many(self.name, jobs)
        return [job.id for job in jobs]

    def run(self, order: Mapping[str, Any] | bytes | None = None, times: int = 1, **fields: Any) -> list[Run]:
        """Push a job and wait until it ran so often."""
        return self.runs.wait([self.push(order, **fields)], times)

    def stat(self) -> PipelineStat:
        return next(one for one in self._server.jobs.stats() if one.pipeline == self.name)

    def wait_stat(self, wanted: Callable[[PipelineStat], bool]) -> PipelineStat:
        """Wait for a state."""
        until = time.monotonic() + PATIENCE
        while not wanted(found := self.stat()):
            assert time.monotonic() < until, found
            time.sleep(0.02)
        return found

    def jobs(self, method: str = "Peek", ids: Sequence[str] = ()) -> list[pb.Job]:
        """Jobs on the broker, by ``Peek`` or ``Failed``."""
        request = pb.JobsRequest(pipeline=self.name, ids=ids)
        return list(self._server.rpc.call_message(f"jobs.{method}", request, pb.Jobs).jobs)

    def wait_jobs(self, count: int, method: str = "Peek") -> list[pb.Job]:
        """Wait until so many jobs are there."""
        until = time.monotonic() + PATIENCE
        while len(found := self.jobs(method)) != count:
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found

    def count(self, method: str, ids: Sequence[str] = ()) -> int:
        """``Retry`` or ``Purge``: how many jobs."""
        request = pb.JobsRequest(pipeline=self.name, ids=ids)
        return self._server.rpc.call_message(f"jobs.{method}", request, pb.Count).count
