"""The methods of ``jobs`` and their errors, with RoadRunner's texts."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.errors import RoadRunnerError
from support.jobs import running_jobs
from support.virtual_time import in_virtual_time, turns

JOB = {"id": "1", "job": "Job", "options": {"pipeline": "p"}}


@pytest.mark.parametrize(
    ("method", "fields", "text"),
    [
        ("Push", {"job": {"job": "Job", "options": {"pipeline": "p"}}}, "rpc_push: empty ID field not allowed"),
        (
            "Push",
            {"job": {**JOB, "options": {"pipeline": "zzz"}}},
            "rpc_push:\n\tjobs_plugin_push: no such pipeline, requested: zzz",
        ),
        (
            "PushBatch",
            {"jobs": [JOB, {"options": {"pipeline": "zzz"}}]},
            "rpc_push_batch:\n\tjobs_plugin_push_batch: no such pipeline, requested: zzz",
        ),
        ("Pause", {"pipelines": ["zzz"]}, "no such pipeline, requested: zzz"),
        ("Resume", {"pipelines": ["zzz"]}, "no such pipeline, requested: zzz"),
        ("Resume", {"pipelines": ["p"]}, "memory listener is already in the active state"),
        ("Pause", {"pipelines": ["p", "p"]}, "no active listeners, nothing to pause"),
        (
            "Destroy",
            {"pipelines": ["zzz"]},
            "rpc_destroy_pipeline:\n\tjobs_plugin_destroy: no such pipeline, requested: zzz",
        ),
        (
            "Declare",
            {"pipeline": {"name": "d1"}},
            "rpc_declare_pipeline:\n\tjobs_plugin_declare: no associated driver with the pipeline, pipeline name: d1",
        ),
        (
            "Declare",
            {"pipeline": {"name": "p", "driver": "memory"}},
            "rpc_declare_pipeline: pipeline already exists, name: p, driver: memory",
        ),
        (
            "Declare",
            {"pipeline": {"name": "d", "driver": "memori"}},
            "rpc_declare_pipeline:\n\tjobs_plugin_declare: no such driver: memori; did you mean `memory`?",
        ),
        (
            "Declare",
            {"pipeline": {"driver": "memory"}},
            "rpc_declare_pipeline:\n\tjobs_plugin_declare: the pipeline has no name",
        ),
        (
            "Declare",
            {"pipeline": {"name": "d", "driver": "memory", "prefetch": "many"}},
            'rpc_declare_pipeline:\n\tjobs_plugin_declare: prefetch is "many"',
        ),
        ("Peek", {"pipeline": "zzz"}, "no such pipeline, requested: zzz"),
    ],
)
@in_virtual_time
async def test_errors(method: str, fields: dict[str, Any], text: str) -> None:
    async with running_jobs() as jobs:
        with pytest.raises(RoadRunnerError) as refused:
            await jobs.call(method, **fields)
        assert str(refused.value) == text


@in_virtual_time
async def test_a_batch_is_pushed_up_to_the_first_error() -> None:
    async with running_jobs(pipelines={"p": {"driver": "memory"}, "q": {"driver": "memory"}}) as jobs:
        batch = [{"id": name, "options": {"pipeline": where}} for name, where in (("1", "p"), ("2", "q"), ("3", "zzz"))]
        with pytest.raises(RoadRunnerError):
            await jobs.call("PushBatch", jobs=[*batch, {"id": "4", "options": {"pipeline": "p"}}])
        await turns()
        assert await jobs.finish() == ["1"]
        assert [job.id for job in (await jobs.call("Peek", pipeline="q")).jobs] == ["2"]


@in_virtual_time
async def test_a_job_that_the_driver_refuses_is_an_error_of_the_driver() -> None:
    async with running_jobs(pipelines={"p": {"driver": "memory", "config": {"max_items": 1}}}) as jobs:
        await jobs.push("1")
        with pytest.raises(RoadRunnerError) as refused:
            await jobs.push("2")
        text = "rpc_push:\n\tjobs_plugin_push:\n\tmemory_push: the pipeline is full: it holds max_items (1) jobs"
        assert str(refused.value) == text
        await jobs.finish()
        await jobs.push("2")
        assert await jobs.finish() == ["2"]


@in_virtual_time
async def test_a_declared_pipeline_is_paused_until_it_is_resumed() -> None:
    async with running_jobs() as jobs:
        await jobs.call("Declare", pipeline={"name": "Dyn", "driver": "memory", "priority": "3", "prefetch": "10"})
        await turns()
        stat = {one.pipeline: one for one in (await jobs.call("Stat")).stats}["Dyn"]
        assert (stat.driver, stat.queue, stat.ready, stat.priority, stat.state) == ("memory", "Dyn", False, 3, "paused")
        await jobs.push("1", pipeline="Dyn")
        await jobs.call("Resume", pipelines=["Dyn"])
        await turns()
        assert await jobs.finish() == ["1"]
        assert list((await jobs.call("List")).pipelines) == ["p", "Dyn"]


@in_virtual_time
async def test_a_declared_pipeline_that_is_listed_runs_at_once() -> None:
    async with running_jobs(consume=["Later"]) as jobs:
        assert jobs.pools() == set()
        await jobs.call("Declare", pipeline={"queue": "Later", "driver": "memory", "consume_all": "true"})
        await jobs.push("1", pipeline="Later")
        await turns(20)
        assert await jobs.finish() == ["1"]


@in_virtual_time
async def test_names_of_the_config_are_found_whatever_their_case() -> None:
    async with running_jobs(consume=["TestPipe"], pipelines={"testpipe": {"driver": "memory"}}) as jobs:
        await jobs.push("1", pipeline="TestPipe")
        assert await jobs.finish() == ["1"]


@in_virtual_time
async def test_a_job_without_a_priority_has_that_of_its_pipeline() -> None:
    pipelines = {"p": {"driver": "memory", "config": {"priority": 5}}, "q": {"driver": "memory"}}
    async with running_jobs(consume=["p", "q"], pipelines=pipelines) as jobs:
        await jobs.push("busy")
        await jobs.push("ten", pipeline="q")
        await jobs.push("five")
        await jobs.push("six", pipeline="q", priority=6)
        await jobs.push("minus", pipeline="q", priority=-1)
        assert await jobs.finish() == ["busy", "minus", "five", "six", "ten"]


@in_virtual_time
async def test_peek_shows_what_waits_and_purge_deletes_it() -> None:
    async with running_jobs(consume=[]) as jobs:
        await jobs.push("1", "2", "3", headers={"h": ["x"]})
        found = (await jobs.call("Peek", pipeline="p", limit=2)).jobs
        assert [(job.id, job.payload, list(job.headers["h"].value)) for job in found] == [
            ("1", b"1", ["x"]),
            ("2", b"2", ["x"]),
        ]
        assert [job.id for job in (await jobs.call("Peek", pipeline="p")).jobs] == ["1", "2", "3"]
        assert (await jobs.call("Purge", pipeline="p", ids=["2"])).count == 1
        assert [job.id for job in (await jobs.call("Peek", pipeline="p")).jobs] == ["1", "3"]
        assert (await jobs.call("Purge", pipeline="p")).count == 2
        assert list((await jobs.call("Peek", pipeline="p")).jobs) == []


@in_virtual_time
async def test_only_chosen_dead_letters_are_retried() -> None:
    pipelines = {"p": {"driver": "memory", "dead_letter": "dead"}, "dead": {"driver": "memory"}}
    async with running_jobs(pipelines=pipelines) as jobs:
        for name in "123":
            await jobs.push(name)
            await jobs.answer({"message": f"no {name}"}, kind=3)
        assert [job.id for job in (await jobs.call("Failed")).jobs] == ["1", "2", "3"]
        assert (await jobs.call("Retry", pipeline="dead", ids=["2"])).count == 1
        await turns()
        assert await jobs.finish() == ["2"]
        found = (await jobs.call("Failed", pipeline="dead")).jobs
        assert [(job.id, job.headers["rr_dead_error"].value[0]) for job in found] == [("1", "no 1"), ("3", "no 3")]


@in_virtual_time
async def test_a_named_job_is_found_behind_many_others() -> None:
    async with running_jobs(consume=[]) as jobs:
        await jobs.push(*(str(number) for number in range(2500)))
        assert [job.id for job in (await jobs.call("Peek", pipeline="p", ids=["2400"])).jobs] == ["2400"]
        assert (await jobs.call("Purge", pipeline="p", ids=["2400", "7"])).count == 2
        assert (await jobs.call("Purge", pipeline="p", ids=["2400", "7"])).count == 0
        assert [job.id for job in (await jobs.call("Peek", pipeline="p", limit=8)).jobs][-2:] == ["6", "8"]
        assert (await jobs.call("Purge", pipeline="p")).count == 2498


@in_virtual_time
async def test_all_dead_letters_are_retried_once_however_many_there_are() -> None:
    pipelines = {"p": {"driver": "memory", "dead_letter": "dead"}, "dead": {"driver": "memory"}}
    async with running_jobs(pipelines=pipelines) as jobs:
        died = {"rr_dead_pipeline": ["p"], "rr_dead_reason": ["rejected"]}
        await jobs.push(*(str(number) for number in range(2500)), pipeline="dead", headers=died)
        assert (await jobs.call("Retry", pipeline="dead", limit=3)).count == 3
        assert (await jobs.call("Retry", pipeline="dead")).count == 2497
        assert list((await jobs.call("Failed", pipeline="dead")).jobs) == []
        await turns()
        assert len(await jobs.finish()) == 2500


@in_virtual_time
async def test_a_dead_letter_pipeline_that_is_gone_has_no_jobs() -> None:
    async with running_jobs() as jobs:
        await jobs.call("Declare", pipeline={"name": "d", "driver": "memory", "dead_letter": "nowhere"})
        assert list((await jobs.call("Failed")).jobs) == []


@in_virtual_time
async def test_a_dead_letter_whose_pipeline_is_gone_stays() -> None:
    pipelines = {"p": {"driver": "memory", "dead_letter": "dead"}, "dead": {"driver": "memory"}}
    async with running_jobs(pipelines=pipelines) as jobs:
        await jobs.push("1")
        await jobs.answer({"message": "no"}, kind=3)
        await jobs.call("Destroy", pipelines=["p"])
        with pytest.raises(RoadRunnerError, match="the job 1 can't be retried: its pipeline p does not exist"):
            await jobs.call("Retry", pipeline="dead")
        assert [job.id for job in (await jobs.call("Failed", pipeline="dead")).jobs] == ["1"]
