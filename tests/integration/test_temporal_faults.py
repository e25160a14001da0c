"""The ``temporal`` plugin when workers die, are replaced or have other code, and when Temporal is away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from pyroadrunner.sdk.rpc import RpcClient
from support.brokers import Brokers
from support.ports import free_port
from support.server import Server
from support.temporal import (
    LIMIT,
    Handle,
    Runs,
    connected,
    running,
    shared_temporal,
    task_queue,
    temporal_server,
    worker_config,
)

pytestmark = pytest.mark.timeout(300)  # restarts, on a busy machine


@pytest.fixture(scope="session")
def address(brokers: Brokers) -> str:
    return str(brokers.use("temporal", shared_temporal)["address"])


def call(server: Server, method: str, argument: Any) -> Any:
    with RpcClient(server.rpc) as client:
        return client.call(method, argument, timeout=LIMIT)


def workers(server: Server, pool: str) -> list[int]:
    details = call(server, "informer.WorkerDetails", "temporal")["workers"]
    return [worker["pid"] for worker in details if worker["pool"] == pool]


async def reset(runs: Runs) -> None:
    assert await asyncio.to_thread(call, runs.server, "resetter.Reset", "temporal")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT):
        while not await condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)


async def until_waiting(runs: Runs, *handles: Handle) -> None:
    """Until the first task of each run has been completed."""

    async def waiting() -> bool:
        for handle in handles:
            events = await runs.history(handle)
            if not any(event.HasField("workflow_task_completed_event_attributes") for event in events):
                return False
        return True

    await until(waiting)


def logged(server: Server, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["msg"] == message]


def test_workflows_go_on_when_their_worker_is_killed(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        async with running(tmp_path, address) as runs:
            handles = [await runs.start("five-activities", "x") for _ in range(10)]
            idle = await runs.start("waits")
            await until_waiting(runs, idle)
            for _ in range(3):
                [pid] = await asyncio.to_thread(workers, runs.server, "temporal.workflows")
                os.kill(pid, signal.SIGKILL)

                async def replaced(old: int = pid) -> bool:
                    return await asyncio.to_thread(workers, runs.server, "temporal.workflows") not in ([], [old])

                await until(replaced)
            assert [await runs.result(handle) for handle in handles] == ["x01234"] * 10
            await idle.signal("end")
            assert await runs.result(idle) == "ended"
            assert len(logged(runs.server, "the workflow worker is gone: cached workflows are replayed")) == 3

    asyncio.run(check())


def test_an_activity_whose_worker_is_killed_is_tried_again(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        async with running(tmp_path, address) as runs:
            assert await runs.run("activity", "dies") == "attempt 2"
            [line] = logged(runs.server, "activity failed")
            assert line["activity"] == "dies"

    asyncio.run(check())


def test_a_reset_replaces_all_workers_and_loads_new_code(tmp_path: Path, address: str) -> None:
    """Runs in memory are replayed in the new process; a run that began with old code keeps its versions."""
    code = tmp_path / "code"

    async def check() -> None:
        async with running(tmp_path, address, env={"CODE_FILE": str(code)}) as runs:
            old = await runs.start("versions")
            waiting = [await runs.start("waits") for _ in range(20)]
            await until_waiting(runs, old, *waiting)
            before = set(runs.server.workers("temporal"))
            long = await runs.start("activity", "sleep", 2000)
            code.write_text("2")
            await reset(runs)
            assert not before & set(runs.server.workers("temporal"))
            for handle in waiting:
                await handle.signal("end")
            assert [await runs.result(handle) for handle in waiting] == ["ended"] * 20
            new = await runs.start("versions")
            await old.signal("go")
            await new.signal("go")
            assert await runs.result(old) == ["OLD", -1, -1, 1, None]
            assert await runs.result(new) == ["V1", 1, 1, 1, None]
            assert await runs.run("added") == "new code", "a workflow type that the old code did not have"
            assert await runs.result(long) == "slept"
            attempts = [event.activity_task_started_event_attributes.attempt for event in await runs.history(long)]
            assert max(attempts) == 1, "the running activity was finished by the old worker"
            later = await runs.start("versions", start_signal="go")
            code.write_text("4")
            await reset(runs)
            assert await runs.result(later) in (["V1", 1, 1, 1, None], ["V3", 3, 3, 1, None])
            assert await runs.replay_all() == {}

    asyncio.run(check())


def test_code_that_is_not_deterministic_is_reported_and_can_be_mended(tmp_path: Path, address: str) -> None:
    code = tmp_path / "code"

    async def check() -> None:
        async with running(tmp_path, address, env={"CODE_FILE": str(code)}) as runs:
            handle = await runs.start("not-deterministic")

            async def waiting() -> bool:
                return any(
                    event.HasField("activity_task_completed_event_attributes") for event in await runs.history(handle)
                )

            await until(waiting)
            code.write_text("2")
            await reset(runs)
            await handle.signal("end")
            message = await runs.until_failed(handle)
            assert "TMPRL1100" in message
            response = await runs.replay(handle, "not-deterministic")
            assert response.status.code == 9
            assert response.status.message.startswith("[TMPRL1100]")
            runs.server.wait_for("workflow code is not deterministic")
            line = logged(runs.server, "workflow code is not deterministic")[0]
            assert line["workflow"] == "not-deterministic"
            assert line["workflow_id"] == handle.id
            assert line["run_id"] == handle.first_execution_run_id
            assert line["error"].startswith("[TMPRL1100] Nondeterminism error: ")
            assert "TimerStarted" in line["error"], "the event"
            code.write_text("1")
            await reset(runs)
            assert await runs.result(handle) == "done"

    asyncio.run(check())


def test_broken_code_blocks_the_workflow_until_it_is_mended_or_fails_it(tmp_path: Path, address: str) -> None:
    """The panic policies: the second task queue of the worker fails its workflows."""
    broken = tmp_path / "broken"
    broken.touch()

    async def check() -> None:
        async with running(tmp_path, address, env={"PANIC_FILE": str(broken)}) as runs:
            with pytest.raises(WorkflowFailureError) as failed:
                await runs.run("panics", queue=f"{runs.queue}-2")
            cause = failed.value.cause
            assert isinstance(cause, ApplicationError)
            assert cause.message == "Workflow failed on panic due to FailWorkflow workflow panic policy"
            assert cause.non_retryable
            assert isinstance(cause.cause, ApplicationError)
            assert (cause.cause.type, cause.cause.message) == ("PanicError", "the code is broken")
            handle = await runs.start("panics")
            assert await runs.until_failed(handle) == "the code is broken"
            broken.unlink()
            assert await runs.result(handle) == "mended"

    asyncio.run(check())


def ready(port: int) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}/ready?plugin=temporal", timeout=LIMIT) as response:
            return int(response.status)
    except HTTPError as refused:
        return refused.code


def test_the_server_starts_and_goes_on_while_temporal_is_away(tmp_path: Path) -> None:
    port = free_port()

    async def check() -> None:
        with temporal_server(tmp_path, "--db-filename", str(tmp_path / "temporal.db")) as temporal:
            temporal.stop()
            queue = task_queue()
            config = worker_config(temporal.address, queue) | {"status": {"address": f"127.0.0.1:{port}"}}
            with Server(tmp_path, config, timeout=LIMIT) as server:
                assert await asyncio.to_thread(ready, port) == 503
                [state, _] = await asyncio.to_thread(call, server, "informer.Jobs", "temporal")
                assert state["State"] == "connecting"
                assert "Connection refused" in state["ErrorMessage"]
                temporal.start()
                client = await connected(temporal.address)
                runs = Runs(client, queue, server)
                assert await runs.run("one-activity", "a") == "A"
                assert await asyncio.to_thread(ready, port) == 200
                waiting = await runs.start("waits")
                slow = await runs.start("activity", "sleep", 1500)
                await until_waiting(runs, waiting, slow)
                temporal.stop()
                server.wait_for("not connected to Temporal; trying again", times=2)
                assert await asyncio.to_thread(ready, port) == 503
                temporal.start()
                client = await connected(temporal.address)
                again = Runs(client, queue, server)
                assert await again.result(client.get_workflow_handle(slow.id)) == "slept"
                await client.get_workflow_handle(waiting.id).signal("end")
                assert await again.result(client.get_workflow_handle(waiting.id)) == "ended"
                server.wait_for("Temporal is back")
                assert await asyncio.to_thread(ready, port) == 200
                assert len(logged(server, "not connected to Temporal; trying again")) == 2

    asyncio.run(check())


def test_a_running_activity_ends_before_the_server_stops(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        async with running(tmp_path, address) as runs:
            handle = await runs.start("activity", "sleep", 700)

            async def begun() -> bool:
                return any(
                    worker["statusStr"] == "working"
                    for worker in (await asyncio.to_thread(call, runs.server, "informer.Workers", "temporal"))[
                        "workers"
                    ]
                )

            await until(begun)
            await asyncio.to_thread(runs.server.stop)
            events = await runs.history(handle)
            assert any(event.HasField("activity_task_completed_event_attributes") for event in events)
            await handle.terminate()

    asyncio.run(check())
