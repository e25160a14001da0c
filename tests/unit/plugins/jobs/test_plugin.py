"""The start, the reload and the health of the plugin."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.contracts import NewJob
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.jobs import pipelines
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, DriverInfo, Host
from pyroadrunner.plugins.jobs.drivers.memory.config import MemoryConfig
from support.jobs import FakeDriver, head_of, jobs_section, running_jobs
from support.virtual_time import in_virtual_time, turns

INFO = DriverInfo(config=MemoryConfig, make="nowhere.at_all:Driver", extra="memory")


def away(host: Host, config: object, section: object) -> FakeDriver:
    """A driver whose broker is away."""
    driver = FakeDriver(host)
    driver.fails = BrokerError("dial tcp: refused")
    return driver


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DriverInfo, "load", lambda _info: away)


@in_virtual_time
async def _start_without_library() -> str:
    with pytest.raises(RoadRunnerError) as refused:
        async with running_jobs():
            pass
    return str(refused.value)


def test_a_driver_whose_library_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "installed_drivers", lambda: {"memory": INFO})
    assert _start_without_library() == (
        "jobs.pipelines.p: the driver memory needs a Python package with the module `nowhere`;"
        " pip install 'pyroadrunner[memory]'"
    )


@pytest.mark.usefixtures("broker_away")
@in_virtual_time
async def test_a_server_starts_without_its_broker_and_is_healthy_but_not_ready() -> None:
    async with running_jobs() as jobs:
        (state,) = await jobs.plugin.pipelines()
        assert (state.state, state.ready, state.error_message) == ("connecting", False, "dial tcp: refused")
        assert await jobs.plugin.healthy()
        assert not await jobs.plugin.ready()


@in_virtual_time
async def test_a_declaration_that_the_broker_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(host: Host, config: object, section: object) -> FakeDriver:
        driver = FakeDriver(host)
        driver.fails = BrokerRefused("ACCESS_REFUSED")
        return driver

    async with running_jobs() as jobs:
        monkeypatch.setattr(DriverInfo, "load", lambda _info: refusing)
        with pytest.raises(RoadRunnerError) as refused:
            await jobs.call("Declare", pipeline={"name": "d", "driver": "memory"})
        assert str(refused.value) == ("rpc_declare_pipeline:\n\tjobs_plugin_declare:\n\tmemory_declare: ACCESS_REFUSED")
        assert list((await jobs.call("List")).pipelines) == ["p"]


@in_virtual_time
async def test_a_declaration_succeeds_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_jobs() as jobs:
        monkeypatch.setattr(DriverInfo, "load", lambda _info: away)
        await jobs.call("Declare", pipeline={"name": "d", "driver": "memory"})
        assert list((await jobs.call("List")).pipelines) == ["p", "d"]


@pytest.mark.usefixtures("broker_away")
@in_virtual_time
async def test_require_brokers_refuses_the_start() -> None:
    with pytest.raises(RoadRunnerError) as refused:
        async with running_jobs(require_brokers=True):
            pass
    assert str(refused.value) == (
        "jobs.require_brokers is set, and these pipelines have no connection:\n  p: dial tcp: refused"
    )


@in_virtual_time
async def test_require_brokers_starts_when_all_are_there() -> None:
    async with running_jobs(require_brokers=True) as jobs:
        await jobs.push("1")
        assert await jobs.finish() == ["1"]


@in_virtual_time
async def test_a_broker_that_does_not_answer_does_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    drivers: list[FakeDriver] = []

    def made(host: Host, config: object, section: object) -> FakeDriver:
        drivers.append(FakeDriver(host))
        return drivers[-1]

    monkeypatch.setattr(DriverInfo, "load", lambda _info: made)
    loop = asyncio.get_running_loop()
    async with running_jobs() as jobs:
        for name in "123":
            drivers[0].deliver(id=name)
        drivers[0].hangs = True
        began = loop.time()
        await jobs.plugin.stop(10.0)
        assert loop.time() - began < 25


@in_virtual_time
async def test_busy_workers_are_ready() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        assert await jobs.plugin.ready()
        await jobs.finish()


@in_virtual_time
async def test_a_reload_changes_the_pools() -> None:
    own = {"driver": "memory", "pool": {"max_jobs": 7}}
    async with running_jobs(pipelines={"p": own, "q": {"driver": "memory"}}, consume=["p", "q"]) as jobs:
        new = jobs_section(pool={"num_workers": 3}, pipelines={"p": own, "q": {"driver": "memory"}})
        assert "pool.num_workers" in jobs.plugin.reloadable_keys()
        (await jobs.plugin.prepare_reload(new, {})).apply()
        await turns(20)
        assert (len(jobs.workers()), len(jobs.workers("jobs.p"))) == (3, 3)


@in_virtual_time
async def test_another_plugin_pushes_a_job() -> None:
    async with running_jobs() as jobs:
        await jobs.plugin.push_job(
            NewJob(id="7", name="Report", pipeline="P", payload=b"x", headers={"a": ["b"]}, priority=3)
        )
        await turns()
        assert jobs.running() == ["7"]
        head = head_of(jobs.workers()[0].requests[0])
        assert (head["job"], head["pipeline"], head["headers"]) == ("Report", "p", {"a": ["b"]})
        with pytest.raises(RoadRunnerError, match="no such pipeline, requested: nope"):
            await jobs.plugin.push_job(NewJob(id="8", name="Report", pipeline="nope"))
        await jobs.finish()


@in_virtual_time
async def test_a_push_of_another_plugin_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_jobs() as jobs:
        monkeypatch.setattr(DriverInfo, "load", lambda _info: away)
        await jobs.call("Declare", pipeline={"name": "d", "driver": "memory"})
        with pytest.raises(RoadRunnerError, match="jobs_plugin_push:\n\tmemory_push: the pipeline d has no connection"):
            await jobs.plugin.push_job(NewJob(id="8", name="Report", pipeline="d"))
