"""Jobs and workers: the whole plugin with fake workers, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Job
from support.fake_workers import FakeProcess
from support.jobs import RunningJobs, head_of, running_jobs
from support.log import logged
from support.virtual_time import in_virtual_time, turns


def memory(**keys: object) -> dict[str, object]:
    return {"driver": "memory", **keys}


async def crash(jobs: RunningJobs, pool: str = "jobs") -> FakeProcess:
    """The worker with a job dies; wait until the next one is ready."""
    worker = next(worker for worker in jobs.workers(pool) if worker.requests)
    worker.exit(1)
    await turns(20)
    return worker


@in_virtual_time
async def test_a_job_runs_and_is_done() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", headers={"h": ["a", "b"]})
        (worker,) = jobs.workers()
        head = head_of(worker.requests[0])
        assert head == {"id": "1", "job": "Job", "driver": "memory", "headers": {"h": ["a", "b"]}, "pipeline": "p"}
        assert await jobs.finish() == ["1"]
        (state,) = await jobs.plugin.pipelines()
        assert (state.active, state.ready) == (0, True)


@in_virtual_time
async def test_urgent_jobs_first_then_the_order_of_the_push() -> None:
    async with running_jobs() as jobs:
        await jobs.push("first", "a1", "a2", "a3")
        await jobs.push("urgent", priority=1)
        await jobs.push("late", priority=99)
        await jobs.push("a4")
        assert await jobs.finish() == ["first", "urgent", "a1", "a2", "a3", "a4", "late"]


@in_virtual_time
async def test_a_job_is_taken_only_when_a_worker_is_free() -> None:
    async with running_jobs(pool={"num_workers": 2, "allocate_timeout": "1s"}) as jobs:
        await jobs.push(*"12345")
        await asyncio.sleep(3600)
        assert jobs.running() == ["1", "2"]
        assert sorted(await jobs.finish()) == list("12345")


@in_virtual_time
async def test_a_worker_that_dies_loses_no_job() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        with logged("jobs") as log:
            await crash(jobs)
        (line,) = log.of("job processed with errors")
        assert (line["ID"], line["attempts"], line["then"]) == ("1", 1, "redeliver")
        assert jobs.running() == []
        await asyncio.sleep(1.1)
        assert jobs.running() == ["1"]
        (worker,) = jobs.workers()
        assert head_of(worker.requests[0])["headers"]["rr_attempts"] == ["1"]
        await jobs.finish()


@in_virtual_time
async def test_a_poison_job_ends_in_the_dead_letter_pipeline() -> None:
    pipelines = {"p": memory(max_attempts=3, dead_letter="dead", backoff={"initial": "2s"}), "dead": memory()}
    async with running_jobs(pipelines=pipelines) as jobs:
        await jobs.push("poison", "good")
        for _ in range(3):
            while jobs.running() != ["poison"]:
                if jobs.running():
                    await jobs.answer()
                await asyncio.sleep(1)
            await crash(jobs)
        await asyncio.sleep(3600)
        assert jobs.running() == []
        (dead,) = (await jobs.call("Failed")).jobs
        headers = {name: list(header.value) for name, header in dead.headers.items()}
        assert (dead.id, headers["rr_dead_attempts"], headers["rr_dead_reason"]) == ("poison", ["3"], ["max_attempts"])
        assert headers["rr_dead_error"] == ["the worker died: exit code 1"]
        assert (await jobs.call("Retry", ids=["poison"])).count == 1
        await turns()
        assert jobs.running() == ["poison"]
        (worker,) = jobs.workers()
        assert head_of(worker.requests[0])["headers"] is None
        await jobs.finish()


@in_virtual_time
async def test_without_a_dead_letter_pipeline_the_last_attempt_is_the_end() -> None:
    async with running_jobs(pipelines={"p": memory(max_attempts=1)}) as jobs:
        await jobs.push("1")
        with logged("jobs") as log:
            await crash(jobs)
        assert [line["then"] for line in log.of("job processed with errors")] == ["nack"]
        await asyncio.sleep(3600)
        assert jobs.running() == []


@in_virtual_time
async def test_an_error_frame_and_garbage_are_failures_and_the_worker_stays() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        (worker,) = jobs.workers()
        worker.answer_error("out of memory")
        await turns()
        await asyncio.sleep(1.1)
        worker.answer(b"<html>")
        await turns()
        await asyncio.sleep(2.1)
        assert head_of(worker.requests[0])["headers"]["rr_attempts"] == ["2"]
        assert jobs.workers() == [worker]
        await jobs.finish()


@in_virtual_time
async def test_a_streamed_answer_is_a_failure() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        (worker,) = jobs.workers()
        with logged("jobs") as log:
            worker.stream(b"a")
            await turns()
            worker.stream(b"b", last=True)
            await turns()
        assert "streams its answer" in log.of("job processed with errors")[0]["error"]


@in_virtual_time
async def test_the_next_job_waits_until_a_streamed_answer_has_ended() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        (worker,) = jobs.workers()
        worker.stream(b"a")
        await turns()
        assert jobs.running() == []
        worker.stream(b"b", last=True)
        await turns()
        assert jobs.running() == ["2"]
        await jobs.finish()


@in_virtual_time
async def test_the_next_job_runs_in_the_turn_of_the_answer() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        (worker,) = jobs.workers()
        worker.answer(b'{"type":0,"data":[]}')
        assert jobs.running() == ["2"]
        await jobs.finish()


@in_virtual_time
async def test_a_job_that_cannot_be_encoded_has_failed_and_the_next_one_runs() -> None:
    async with running_jobs(pipelines={"p": memory(max_attempts=1)}) as jobs:
        await jobs.push("1")
        pipeline = next(iter(jobs.plugin._pipelines))
        pipeline.push([Job(id="2", name="\ud800", payload=b"")])
        await jobs.push("3")
        with logged("jobs") as log:
            assert await jobs.finish() == ["1", "3"]
        (line,) = log.of("job processed with errors")
        assert line["error"].startswith("the job can't be sent to a worker: UnicodeEncodeError")


@in_virtual_time
async def test_a_job_that_is_handed_back_during_a_stop_goes_back_to_its_broker() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        (worker,) = jobs.workers()
        with logged("jobs") as log:
            stop = asyncio.ensure_future(jobs.plugin.stop(30.0))
            await turns(20)
            worker.hand_back()
            await stop
        assert log.of("jobs in memory are lost") == [{"pipeline": "p", "jobs": 1}]


@in_virtual_time
async def test_after_a_worker_that_fails_to_start_another_one_is_requested() -> None:
    async with running_jobs(pool={"debug": True}) as jobs:
        jobs.fail_starts(1)
        with logged("jobs") as log:
            await jobs.push("1")
        (line,) = log.of("no worker for the waiting jobs")
        assert (line["pool"], jobs.running()) == ("jobs", [])
        await asyncio.sleep(1.1)
        assert await jobs.finish() == ["1"]


@in_virtual_time
async def test_a_job_that_a_worker_hands_back_runs_on_the_next_one() -> None:
    async with running_jobs(pool={"num_workers": 2}) as jobs:
        await jobs.push("1")
        first = next(worker for worker in jobs.workers() if worker.requests)
        first.hand_back()
        await turns(20)
        assert jobs.running() == ["1"]
        second = next(worker for worker in jobs.workers() if worker.requests)
        assert second is not first
        assert head_of(second.requests[0])["headers"] is None
        await jobs.finish()


@in_virtual_time
async def test_a_job_that_every_worker_hands_back_has_failed() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        with logged("jobs") as log:
            for _ in range(5):
                await asyncio.sleep(10)
                next(worker for worker in jobs.workers() if worker.requests).hand_back()
                await turns(20)
        assert "5 workers in a row did not run the job" in log.of("job processed with errors")[0]["error"]


@in_virtual_time
async def test_a_job_that_takes_too_long_is_a_failure() -> None:
    async with running_jobs(pool={"num_workers": 1, "supervisor": {"exec_ttl": "2s"}}) as jobs:
        await jobs.push("1")
        with logged("jobs") as log:
            await asyncio.sleep(2.5)
        (line,) = log.of("job processed with errors")
        assert line["error"] == "the job ran longer than exec_ttl (2 s), and its worker was killed"
        await asyncio.sleep(1.1)
        assert jobs.running() == ["1"]
        await jobs.finish()


@in_virtual_time
async def test_workers_that_reach_max_jobs_are_replaced_and_no_job_waits_for_them() -> None:
    async with running_jobs(pool={"num_workers": 1, "max_jobs": 1}) as jobs:
        await jobs.push("1", "2", "3")
        pids = set()
        done = []
        while len(done) < 3:
            await turns(20)
            pids.add(next(worker.pid for worker in jobs.workers() if worker.requests))
            done.append(await jobs.answer())
        assert (done, len(pids)) == (["1", "2", "3"], 3)


@in_virtual_time
async def test_a_requeue_merges_headers_and_waits() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", headers={"a": ["1"], "b": ["1"]})
        await jobs.answer({"message": "later", "delay_seconds": 5, "headers": {"b": ["2"]}}, kind=4)
        await asyncio.sleep(4.9)
        assert jobs.running() == []
        await asyncio.sleep(0.2)
        (worker,) = jobs.workers()
        assert head_of(worker.requests[0])["headers"] == {"a": ["1"], "b": ["2"]}
        await jobs.finish()


@in_virtual_time
async def test_fail_without_requeue_and_nack_end_the_job() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        await jobs.answer({"message": "no"}, kind=1)
        await jobs.answer({"message": "no"}, kind=3)
        await asyncio.sleep(3600)
        assert jobs.running() == []


@in_virtual_time
async def test_an_auto_ack_job_does_not_come_back() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", auto_ack=True)
        (state,) = await jobs.plugin.pipelines()
        assert state.active == 0
        await crash(jobs)
        await asyncio.sleep(3600)
        assert jobs.running() == []


@in_virtual_time
async def test_concurrency_bounds_a_pipeline_and_not_its_neighbour() -> None:
    pipelines = {"p": memory(concurrency=1), "q": memory()}
    async with running_jobs(pool={"num_workers": 3}, consume=["p", "q"], pipelines=pipelines) as jobs:
        await jobs.push("p1", "p2", "p3")
        await jobs.push("q1", pipeline="q")
        assert sorted(jobs.running()) == ["p1", "q1"]
        await jobs.answer()
        assert sorted(jobs.running()) == ["p2", "q1"]
        await jobs.finish()


@in_virtual_time
async def test_a_pipeline_with_its_own_pool_does_not_wait_for_the_others() -> None:
    pipelines = {"p": memory(), "q": memory(pool={"num_workers": 2})}
    async with running_jobs(consume=["p", "q"], pipelines=pipelines) as jobs:
        assert jobs.pools() == {"jobs", "jobs.q"}
        await jobs.push("p1", "p2")
        await jobs.push("q1", "q2", "q3", pipeline="q")
        assert (jobs.running(), jobs.running("jobs.q")) == (["p1"], ["q1", "q2"])
        await jobs.finish()
        await jobs.finish("jobs.q")


@in_virtual_time
async def test_pipelines_share_the_pool_of_one_of_them() -> None:
    pipelines = {"p": memory(), "q": memory(pool={"num_workers": 1}), "r": memory(pool="q")}
    async with running_jobs(consume=["r"], pipelines=pipelines) as jobs:
        assert jobs.pools() == {"jobs.q"}
        await jobs.push("r1", "r2", pipeline="r")
        assert jobs.running("jobs.q") == ["r1"]
        await jobs.call("Resume", pipelines=["q"])
        await jobs.push("q1", pipeline="q", priority=1)
        assert await jobs.finish("jobs.q") == ["r1", "q1", "r2"]


@in_virtual_time
async def test_a_producer_starts_no_workers_until_a_pipeline_is_resumed() -> None:
    async with running_jobs(consume=[]) as jobs:
        assert jobs.pools() == set()
        assert await jobs.plugin.healthy()
        assert await jobs.plugin.ready()
        await jobs.push("1")
        await jobs.call("Resume", pipelines=["p"])
        await turns(20)
        assert jobs.running() == ["1"]
        await jobs.finish()


@in_virtual_time
async def test_a_paused_pipeline_takes_jobs_and_runs_those_that_are_here() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        await jobs.call("Pause", pipelines=["p"])
        await jobs.push("3")
        assert await jobs.finish() == ["1", "2"]
        await jobs.call("Resume", pipelines=["p"])
        await turns()
        assert await jobs.finish() == ["3"]


@in_virtual_time
async def test_a_reset_finishes_running_jobs_and_loses_none() -> None:
    async with running_jobs(pool={"num_workers": 2}) as jobs:
        await jobs.push("1", "2", "3")
        old = jobs.workers()
        reset = asyncio.ensure_future(jobs.plugin.pools()["jobs"].reset())
        await turns(20)
        assert len(jobs.workers()) == 4
        done = await jobs.finish()
        await reset
        assert sorted(done) == ["1", "2", "3"]
        assert not set(old) & set(jobs.workers())


@in_virtual_time
async def test_workers_added_later_raise_the_number_of_running_jobs() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2", "3")
        await jobs.plugin.pools()["jobs"].add_worker()
        await jobs.plugin.pools()["jobs"].add_worker()
        await turns(20)
        assert sorted(jobs.running()) == ["1", "2", "3"]
        await jobs.finish()


@in_virtual_time
async def test_a_stop_finishes_running_jobs_with_live_acks() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2")
        with logged("jobs") as log:
            stop = asyncio.ensure_future(jobs.plugin.stop(30.0))
            await turns(20)
            assert jobs.running() == ["1"]
            await jobs.answer()
            await stop
        assert log.of("jobs in memory are lost") == [{"pipeline": "p", "jobs": 1}]


@in_virtual_time
async def test_an_idle_stop_takes_no_time() -> None:
    loop = asyncio.get_running_loop()
    async with running_jobs() as jobs:
        await jobs.push("1")
        await jobs.finish()
        began = loop.time()
        await jobs.plugin.stop(30.0)
        assert loop.time() - began < 0.5


@in_virtual_time
async def test_a_job_that_outlives_the_grace_is_given_back_without_an_attempt() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        with logged("jobs") as log:
            await jobs.plugin.stop(5.0)
        assert log.of("job processed with errors") == []
        assert log.of("job did not end before the stop and is given back") == [{"ID": "1", "pipeline": "p"}]
        assert log.of("jobs in memory are lost") == [{"pipeline": "p", "jobs": 1}]


@pytest.mark.parametrize("running", [True, False])
@in_virtual_time
async def test_a_destroyed_pipeline_finishes_what_runs(running: bool) -> None:
    async with running_jobs() as jobs:
        if running:
            await jobs.push("1", "2")
        destroy = asyncio.ensure_future(jobs.call("Destroy", pipelines=["p"]))
        await turns(20)
        assert destroy.done() is not running
        assert await jobs.finish() == (["1"] if running else [])
        assert list((await destroy).pipelines) == ["p"]
        assert await jobs.plugin.pipelines() == []


@in_virtual_time
async def test_a_pipeline_that_is_destroyed_while_a_job_hangs_is_gone_after_the_timeout() -> None:
    async with running_jobs(timeout=10) as jobs:
        await jobs.push("1")
        await jobs.call("Destroy", pipelines=["p"])
        await jobs.finish()
        await jobs.call("Declare", pipeline={"name": "p", "driver": "memory"})
        await turns(20)
        await jobs.push("2")
        assert await jobs.finish() == ["2"]


@in_virtual_time
async def test_the_metrics_of_a_run() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1", "2", "3")
        await jobs.answer()
        await jobs.answer({"delay_seconds": 60}, kind=4)
        families = {family.name: family for family in await jobs.plugin.metrics()}
        totals = {
            name: families[f"rr_jobs_{name}"].samples[0].value
            for name in ("jobs_ok", "jobs_err", "push_ok", "push_err", "jobs_requeue")
        }
        assert totals == {"jobs_ok": 2, "jobs_err": 0, "push_ok": 3, "push_err": 0, "jobs_requeue": 1}
        (requests,) = families["rr_jobs_requests_total"].samples
        assert (requests.labels, requests.value) == ({"job": "p", "driver": "memory", "source": "single"}, 3)
        states = {sample.labels["state"]: sample.value for sample in families["rr_jobs_pipeline_state"].samples}
        assert states == {"connecting": 0, "ready": 1, "paused": 0, "failed": 0}
        assert families["rr_jobs_pipeline_running"].samples[0].value == 1
        assert families["rr_jobs_wait_seconds"].samples[-1].value == 2
        await jobs.finish()


@in_virtual_time
async def test_the_log_has_the_run_time_in_whole_milliseconds_like_that_of_http() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        await asyncio.sleep(0.0129)
        with logged("jobs") as log:
            await jobs.finish()
    (line,) = log.of("job was processed successfully")
    assert (line["elapsed"], type(line["elapsed"])) == (12, int)


@in_virtual_time
async def test_a_job_that_its_worker_fails_is_a_failed_job_in_the_log() -> None:
    async with running_jobs() as jobs:
        await jobs.push("1")
        (worker,) = jobs.workers()
        with logged("jobs") as log:
            worker.answer(b'{"type":1,"data":{"message":"no address","requeue":true,"delay_seconds":60}}')
            await turns()
    (line,) = log.of("job failed")
    assert (line["error"], line["ID"], line["requeue"], line["delay"]) == ("no address", "1", True, 60)
