"""The contract of all drivers, with real PHP workers on a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroadrunner.sdk.jobs import Jobs, NewJob
from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.job_runs import JobServer, Queue
from support.jobs_subjects import Subject
from support.metrics import scrape

MakeQueue = Callable[..., Queue]


# -- what a worker gets


def test_a_job_arrives_with_all_its_fields(queue: Queue, subject: Subject) -> None:
    headers = {"One": ["1"], "x-many": ["a", "b"] if subject.values else ["a"]}
    (run,) = queue.run(b"payload", headers=headers)
    assert (run.name, run.pipeline, run.driver, run.payload) == ("Job", queue.name, subject.driver, b"payload")
    assert bool(run.queue) is subject.queue
    if subject.headers:
        assert {name: run.headers[name] for name in headers} == headers


def test_payloads_are_any_bytes(queue: Queue, subject: Subject) -> None:
    payloads = ["ключ ☃".encode(), b"x" * subject.largest, b'{"json": true}']
    payloads += [b""] if subject.empty else []
    payloads += [bytes(range(256)) * 10, b"\x00"] if subject.binary else []
    for payload in payloads:
        (run,) = queue.run(payload)
        assert run.payload == payload


def test_a_batch_arrives_completely_and_in_order(make_queue: MakeQueue, subject: Subject) -> None:
    queue = make_queue(concurrency=1)
    queue.declare()
    ids = queue.push_many([{}] * min(300, subject.burst))
    runs = queue.runs.wait(ids)
    assert sorted(run.id for run in runs) == sorted(ids)
    if subject.ordered:
        assert [run.id for run in runs] == ids


def test_priorities_of_waiting_jobs(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(concurrency=1)
    queue.declare()
    queue.runs.wait([queue.push({"wait": str(tmp_path / "go")}, priority=1)])
    late, early = queue.push(priority=9), queue.push(priority=2)
    queue.wait_stat(lambda _stat: unsettled(queue) == 3)
    (tmp_path / "go").touch()
    runs = queue.runs.wait([late, early])
    assert [run.id for run in runs] == [early, late]


def test_pipelines_do_not_mix(make_queue: MakeQueue) -> None:
    one, two = make_queue(), make_queue()
    one.declare()
    two.declare()
    ids = {queue.name: queue.push_many([{}] * 20) for queue in (one, two)}
    for name, pushed in ids.items():
        assert {run.pipeline for run in one.runs.wait(pushed)} == {name}


# -- delays


def test_a_delayed_job_runs_later(queue: Queue, subject: Subject) -> None:
    if subject.refuses_delays:
        with pytest.raises(CallFailed):
            queue.push(delay=2)
        return
    pushed = time.time()
    delayed, now = queue.push(delay=2), queue.push()
    (first,) = queue.runs.wait([now])
    (second,) = queue.runs.wait([delayed])
    if subject.delays:
        assert first.time < second.time
        assert second.time - pushed > 1.9


# -- the end of a job


def test_a_job_that_is_done_does_not_come_back(queue: Queue) -> None:
    (run,) = queue.run()
    queue.wait_stat(lambda stat: unsettled(queue) == 0 and (stat.active, stat.delayed, stat.reserved) == (0, 0, 0))
    queue.pause()
    queue.resume()
    queue.run()
    assert queue.runs.of(run.id) == [run]


def test_nack_ends_a_job(queue: Queue) -> None:
    (run,) = queue.run({"do": "nack"})
    queue.run()
    queue.wait_stat(lambda _stat: unsettled(queue) == 0)
    assert queue.runs.of(run.id) == [run]
    assert queue.jobs() == []


def test_nack_with_redelivery_is_another_attempt(queue: Queue, tmp_path: Path) -> None:
    first, second = queue.run({"do": "nack once", "mark": str(tmp_path / "mark")}, times=2, headers={"h": "x"})
    assert first.id == second.id
    queue.wait_stat(lambda _stat: unsettled(queue) == 0)
    assert len(queue.runs.of(first.id)) == 2


def test_requeue_merges_headers_and_waits(queue: Queue, subject: Subject) -> None:
    if not subject.headers:
        return  # its wire carries none
    values = ["2", "3"] if subject.values else ["2"]
    first, second = queue.run({"do": "requeue once", "delay": 2}, times=2, headers={"a": "1", "b": "1"})
    assert {name: first.headers[name] for name in ("a", "b")} == {"a": ["1"], "b": ["1"]}
    assert {name: second.headers[name] for name in ("a", "b", "tried")} == {"a": values, "b": ["1"], "tried": ["yes"]}
    assert (first.payload, first.name) == (second.payload, second.name)
    if subject.retry_delays:
        assert second.time - first.time > 1.8
    assert second.failed == 0


def test_a_job_whose_worker_dies_runs_again(queue: Queue, tmp_path: Path) -> None:
    first, second = queue.run({"do": "die once", "mark": str(tmp_path / "mark")}, times=2, headers={"h": "x"})
    assert first.pid != second.pid
    queue.wait_stat(lambda _stat: unsettled(queue) == 0)
    assert len(queue.runs.of(first.id)) == 2


@pytest.mark.parametrize("order", ["die", "throw", "garbage"])
def test_a_poison_job_ends_in_the_dead_letter_pipeline(
    make_queue: MakeQueue, subject: Subject, server: JobServer, order: str
) -> None:
    dead = make_queue()
    dead.declare(resume=False)
    queue = make_queue(max_attempts=2, dead_letter=dead.name)
    queue.declare()
    poison = queue.push({"do": order}, headers={"h": "x"})
    good = queue.push()
    queue.runs.wait([good])
    queue.runs.wait([poison], times=2)
    (letter,) = dead.wait_jobs(1)
    assert (letter.id, letter.job) == (poison, "Job")
    if subject.headers:
        headers = {name: list(value.value) for name, value in letter.headers.items()}
        assert (headers["h"], headers["rr_dead_pipeline"]) == (["x"], [queue.name])
        assert (headers["rr_dead_attempts"], headers["rr_dead_reason"]) == (["2"], ["max_attempts"])
        if order == "throw":
            assert "the job has failed" in headers["rr_dead_error"][0]
        assert [job.id for job in dead.jobs("Failed")] == [poison]
        assert dead.count("Retry", [poison]) == 1
        runs = queue.runs.wait([poison], times=3)
        assert runs[2].failed == 0
    queue.wait_stat(lambda _stat: unsettled(queue) == 0)


def test_an_auto_ack_job_runs_once(queue: Queue) -> None:
    died, done = queue.push({"do": "die"}, auto_ack=True), queue.push(auto_ack=True)
    queue.runs.wait([died, done])
    queue.wait_stat(lambda _stat: unsettled(queue) == 0)
    queue.pause()
    queue.resume()
    queue.run()
    assert len(queue.runs.of(died, done)) == 2
    assert queue.jobs() == []


# -- control


def test_a_paused_pipeline_keeps_jobs_on_the_broker(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.declare(resume=False)
    ids = queue.push_many([{}] * 5)
    stat = queue.stat()
    assert (stat.ready, stat.state) == (False, "paused")
    assert queue.runs.of(*ids) == []
    queue.resume()
    queue.runs.wait(ids)
    assert (queue.stat().ready, queue.stat().state) == (True, "ready")
    queue.pause()
    late = queue.push()
    queue.wait_jobs(1)
    assert queue.runs.of(late) == []
    queue.resume()
    queue.runs.wait([late])


def test_pausing_and_resuming_twice_are_errors(queue: Queue, subject: Subject) -> None:
    with pytest.raises(CallFailed, match="listener is already in the active state"):
        queue.resume()
    queue.pause()
    with pytest.raises(CallFailed, match="no active listeners, nothing to pause"):
        queue.pause()


def test_a_destroyed_pipeline_leaves_its_jobs_on_the_broker(make_queue: MakeQueue, subject: Subject) -> None:
    queue = make_queue()
    queue.declare(resume=False)
    ids = queue.push_many([{}] * 5)
    queue.destroy()
    queue.declare()
    if subject.persistent:
        queue.runs.wait(ids)
    else:
        queue.run()
        assert queue.runs.of(*ids) == []


def test_waiting_jobs_go_back_to_the_broker(make_queue: MakeQueue, subject: Subject, tmp_path: Path) -> None:
    """A pipeline that is destroyed while its jobs wait and one runs: each runs once."""
    queue = make_queue(concurrency=1)
    queue.declare()
    running = queue.push({"wait": str(tmp_path / "go")})
    waiting = queue.push_many([{}] * 5)
    queue.runs.wait([running])
    if not subject.persistent:
        (tmp_path / "go").touch()
        queue.runs.wait(waiting)
        return
    (tmp_path / "go").touch()
    queue.destroy()
    queue.declare()
    queue.runs.wait(waiting)
    assert len(queue.runs.of(running)) == 1


def test_no_more_than_prefetch_are_held(make_queue: MakeQueue, subject: Subject, tmp_path: Path) -> None:
    if not subject.prefetch:
        return  # the driver has no such key
    queue = make_queue(concurrency=1, **{subject.prefetch: 3})
    queue.declare()
    ids = queue.push_many([{"wait": str(tmp_path / "go")}, *[{"sleep": 0.01}] * 20])
    queue.wait_stat(lambda _stat: unsettled(queue) >= 2)
    most = 0
    for _ in range(20):
        most = max(most, unsettled(queue))
        time.sleep(0.01)
    assert most <= 3
    (tmp_path / "go").touch()
    while len(queue.runs.of(*ids)) < len(ids):
        most = max(most, unsettled(queue))
    queue.runs.wait(ids)
    assert most <= 3


# -- for operators


def test_looking_at_jobs_leaves_them_there(make_queue: MakeQueue, subject: Subject) -> None:
    queue = make_queue()
    queue.declare(resume=False)
    ids = queue.push_many([{}, {}, {}], headers={"h": "x"})
    for _ in range(2):
        found = queue.wait_jobs(3)
        assert sorted(job.id for job in found) == sorted(ids)
        assert {job.payload for job in found} == {b"{}"}
        if subject.headers:
            assert [list(job.headers["h"].value) for job in found] == [["x"]] * 3
    queue.resume()
    runs = queue.runs.wait(ids)
    assert len(runs) == 3


def test_purging_deletes_what_waits(make_queue: MakeQueue) -> None:
    queue = make_queue()
    queue.declare(resume=False)
    ids = queue.push_many([{}] * 10)
    queue.wait_jobs(10)
    assert queue.count("Purge", ids[:1]) == 1
    assert queue.count("Purge") == 9
    queue.resume()
    queue.run()
    assert queue.runs.of(*ids) == []


def test_pushing_many_at_once_from_many_connections(queue: Queue, server: JobServer) -> None:
    ids: list[str] = []

    def push(number: int) -> None:
        with Jobs(RpcClient(server.server.rpc)) as jobs:
            for at in range(25):
                ids.append(jobs.push(queue.name, "Job", f'{{"n": "{number}-{at}"}}'))

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 200
    runs = queue.runs.wait(ids)
    assert len(runs) == 200


def test_an_unknown_pipeline_in_a_batch_leaves_what_was_pushed(queue: Queue, server: JobServer) -> None:
    job = NewJob(name="Job", payload=b"{}")
    with pytest.raises(CallFailed, match="no such pipeline, requested: zzz"):
        server.jobs.push_many("zzz", [job])
    queue.run()


def unsettled(queue: Queue) -> int:
    """Jobs of the pipeline that the server holds."""
    samples = scrape(queue.metrics)
    start, label = "rr_jobs_pipeline_unsettled{", f'pipeline="{queue.name}"'
    return int(next(value for name, value in samples.items() if name.startswith(start) and label in name))
