"""Replies of ``informer``."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec
import pytest

from pyroadrunner.contracts import HasPools, PipelineState
from pyroadrunner.plugins.informer.errors import NotAWorker, NoWorkers
from pyroadrunner.plugins.informer.plugin import InformerPlugin
from support.rpc import FakePlugin, FakePool, FakeSidecars, worker
from support.virtual_time import run_virtual

HTTP = FakePlugin("http", FakePool("http", [worker(1)]), FakePool("http.slow", [worker(2, pool="http.slow")]))
JOBS = FakePlugin("jobs", FakePool("jobs"))


def call(method: str, argument: Any, *plugins: FakePlugin) -> Any:
    """The result as a JSON caller sees it."""

    async def main() -> Any:
        result = InformerPlugin(plugins).rpc_methods()[method].call(argument)
        return await result if hasattr(result, "__await__") else result

    return msgspec.json.decode(msgspec.json.encode(asyncio.run(main())))


def test_plugins_with_pools_are_listed() -> None:
    assert call("List", True, HTTP, JOBS) == ["http", "jobs"]
    assert call("List", True) == []


def test_a_later_plugin_is_listed_too() -> None:
    plugins: list[HasPools] = []
    names = InformerPlugin(plugins).rpc_methods()["List"].call
    plugins.append(JOBS)
    assert names(True) == ["jobs"]


THEIRS = ["pid", "status", "numExecs", "created", "memoryUsage", "CPUPercent", "command", "statusStr"]


def test_the_workers_of_all_pools_of_a_plugin_have_roadrunners_keys_alone() -> None:
    """Those of `Spiral\\RoadRunner\\Informer\\Worker` (roadrunner-php/worker, src/Informer/Worker.php)."""
    workers = call("Workers", "http", HTTP, JOBS)["workers"]
    assert [one["pid"] for one in workers] == [1, 2]
    assert [list(one) for one in workers] == [THEIRS, THEIRS]


def test_the_details_have_additional_keys() -> None:
    workers = call("WorkerDetails", "http", HTTP, JOBS)["workers"]
    assert [(one["pid"], one["pool"]) for one in workers] == [(1, "http"), (2, "http.slow")]
    assert list(workers[0]) == [*THEIRS, "pool", "activity", "activitySince", "cpuSeconds"]
    assert call("WorkerDetails", "nope", HTTP) == {"workers": []}


@pytest.mark.parametrize("name", ["jobs", "nope", ""])
def test_no_workers_are_an_empty_list_and_not_null(name: str) -> None:
    assert call("Workers", name, HTTP, JOBS) == {"workers": []}


def test_other_processes_are_listed_but_not_managed() -> None:
    sidecars = FakeSidecars("service", [worker(3, command="/usr/bin/php a.php", status_str="", pool="")])
    methods = InformerPlugin([HTTP], [sidecars]).rpc_methods()
    assert methods["List"].call(True) == ["http", "service"]
    assert [one.pid for one in asyncio.run(methods["Workers"].call("service")).workers] == [3]
    with pytest.raises(NoWorkers, match=r"^plugin service does not support workers management$"):
        asyncio.run(methods["AddWorker"].call("service"))


def test_there_are_no_pipelines() -> None:
    assert call("Jobs", "http", HTTP) is None


def test_workers_are_added_to_and_removed_from_the_default_pool() -> None:
    default, other = FakePool("http"), FakePool("http.slow")
    plugin = FakePlugin("http", default, other)
    assert [call(method, "http", plugin) for method in ("AddWorker", "AddWorker", "RemoveWorker")] == [False] * 3
    assert (default.added, other.added) == (1, 0)


@pytest.mark.parametrize("method", ["AddWorker", "RemoveWorker"])
def test_a_plugin_without_pools_has_no_workers_to_manage(method: str) -> None:
    for plugins in ([JOBS], [JOBS, FakePlugin("http")]):
        with pytest.raises(NoWorkers, match=r"^plugin http does not support workers management$"):
            call(method, "http", *plugins)


def test_one_pool_can_be_asked_about_by_its_name() -> None:
    assert [one["pid"] for one in call("Workers", "http.slow", HTTP)["workers"]] == [2]
    with pytest.raises(NoWorkers):
        call("Workers", "http.fast", HTTP)
    default, other = FakePool("http"), FakePool("http.slow")
    call("AddWorker", "http.slow", FakePlugin("http", default, other))
    assert (default.added, other.added) == (0, 1)


class Queues:
    """A plugin with one pipeline."""

    name = "jobs"

    async def pipelines(self) -> list[PipelineState]:
        return [PipelineState(pipeline="p", driver="memory", active=2, ready=True, priority=5, state="ready")]


def test_pipelines_have_roadrunners_keys_and_their_state() -> None:
    jobs = InformerPlugin([], [], [Queues()]).rpc_methods()["Jobs"].call
    found = msgspec.json.decode(msgspec.json.encode(asyncio.run(jobs("jobs"))))
    assert found == [
        {
            "Pipeline": "p",
            "Driver": "memory",
            "Queue": "",
            "Active": 2,
            "Delayed": 0,
            "Reserved": 0,
            "Ready": True,
            "Priority": 5,
            "ErrorMessage": "",
            "State": "ready",
        }
    ]


def test_a_plugin_without_pipelines_has_none() -> None:
    jobs = InformerPlugin([], [], [Queues()]).rpc_methods()["Jobs"].call
    assert asyncio.run(jobs("http")) is None


def test_one_worker_is_restarted_or_killed_by_its_pid() -> None:
    default, other = FakePool("http", [worker(1)]), FakePool("http.slow", [worker(2)])
    plugin = FakePlugin("http", default, other)
    assert call("RestartWorker", 2, plugin) is True
    assert call("KillWorker", 1, plugin) is True
    assert (default.restarted, default.killed, other.restarted, other.killed) == ([], [1], [2], [])


@pytest.mark.parametrize("method", ["RestartWorker", "KillWorker"])
def test_other_processes_of_the_machine_are_not_stopped(method: str) -> None:
    with pytest.raises(NotAWorker, match=r"^no pool has a worker with the pid 3; it may have been replaced"):
        call(method, 3, HTTP)


def test_the_overview_has_pools_workers_other_processes_and_pipelines() -> None:
    pool = FakePool("http", [worker(1), worker(2, status=2, status_str="working", activity="GET /a")])
    pool.queued, pool.calls, pool.failed = 3, 40, 5
    sidecars = FakeSidecars("service", [worker(3, command="php a.php", status_str="", pool="")])
    methods = InformerPlugin([FakePlugin("http", pool), JOBS], [sidecars], [Queues()]).rpc_methods()
    found = msgspec.json.decode(msgspec.json.encode(asyncio.run(methods["Overview"].call(True))))
    assert list(found) == ["time", "pid", "version", "started", "plugins"]
    assert (found["pid"], found["started"] <= found["time"]) == (os.getpid(), True)
    http, jobs, service = found["plugins"]
    assert http["pools"] == [
        {
            "name": "http",
            "workers": 2,
            "busy": 1,
            "free": 1,
            "queued": 3,
            "oldestWait": 0.0,
            "calls": 40,
            "failed": 5,
        }
    ]
    assert [one["activity"] for one in http["workers"]] == ["", "GET /a"]
    assert jobs["pipelines"] == [
        {
            "name": "p",
            "driver": "memory",
            "queue": "",
            "state": "ready",
            "error": "",
            "running": 0,
            "active": 2,
            "delayed": 0,
            "reserved": 0,
            "done": 0,
            "failed": 0,
        }
    ]
    assert [one["command"] for one in service["workers"]] == ["php a.php"]


class HangingQueues(Queues):
    """Its broker answers when the test says so."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self.asked = 0

    async def pipelines(self) -> list[PipelineState]:
        self.asked += 1
        await self.answered.wait()
        return await super().pipelines()


def test_a_broker_that_hangs_does_not_hide_the_rest() -> None:
    async def main() -> None:
        queues = HangingQueues()
        plugin = InformerPlugin([HTTP], [], [queues])
        take = plugin.rpc_methods()["Overview"].call
        for _ in range(2):
            found = await take(True)
            assert [one.name for one in found.plugins] == ["http"]
        assert queues.asked == 1  # the first question still waits
        queues.answered.set()
        assert (await take(True)).plugins[1].pipelines[0].name == "p"
        queues.answered.clear()
        assert (await take(True)).plugins[1].pipelines[0].name == "p"  # the last known state
        await plugin.stop(0.0)

    run_virtual(main())
