"""Every accepted job is accounted for, whatever happens: done, or a dead letter with its reason.

A ledger holds the id of each job that a push has accepted. Meanwhile workers are killed, the broker stops and starts,
and the server is killed. In the end each id ran; how many ran twice is bounded by what was in flight at a kill.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.sdk.rpc import RpcClient
from support.brokers import Brokers
from support.job_ledger import PATIENCE, Producer, Scene, twice
from support.jobs_subjects import SUBJECTS, Subject, running

JOBS = 400


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def scene(request: pytest.FixtureRequest, tmp_path: Path, brokers: Brokers) -> Iterator[Scene]:
    subject: Subject = request.param
    with running(subject, tmp_path, brokers) as broker:
        scene = Scene(subject, tmp_path, broker)
        try:
            yield scene
        finally:
            scene.server.disconnect()
            scene.server.server.kill()


def test_killed_workers_lose_no_job(scene: Scene) -> None:
    producer = Producer(scene.server, scene.queue.name, JOBS, 0.02)
    producer.start()
    kills = 0
    while producer.is_alive():
        time.sleep(0.2)
        scene.kill_worker()
        kills += 1
    assert twice(scene.accounted(producer)) <= kills


def test_a_graceful_stop_of_the_pipeline_runs_each_job_once(scene: Scene) -> None:
    """Pause and resume while jobs flow: nothing is lost and nothing runs twice."""
    producer = Producer(scene.server, scene.queue.name, JOBS, 0.01)
    producer.start()
    while producer.is_alive():
        scene.queue.pause()
        scene.queue.resume()
        time.sleep(0.02)
    assert twice(scene.accounted(producer)) == 0


def test_a_reset_loses_no_job_and_runs_none_twice(scene: Scene) -> None:
    producer = Producer(scene.server, scene.queue.name, JOBS, 0.01)
    producer.start()
    with RpcClient(scene.server.server.rpc) as rpc:
        while producer.is_alive():
            rpc.call("resetter.Reset", "jobs")
    assert twice(scene.accounted(producer)) == 0


def test_a_burst_is_kept(scene: Scene) -> None:
    scene.queue.pause()
    ids: list[str] = []
    for _ in range(20):
        ids += scene.queue.push_many([{}] * (scene.subject.burst // 20))
    scene.queue.resume()
    counts = Counter(run.id for run in scene.queue.runs.wait(ids, patience=PATIENCE))
    assert len(counts) == scene.subject.burst
    assert twice(counts) == 0


def test_a_killed_server_loses_no_job(scene: Scene) -> None:
    if not scene.subject.persistent:
        return  # its jobs are in the memory of the server
    producer = Producer(scene.server, scene.queue.name, JOBS, 0.01)
    producer.start()
    held = 0
    for _ in range(2):
        time.sleep(1)
        scene.restart()
        held += 100  # the largest prefetch of the suite
    assert twice(scene.accounted(producer)) <= held


def test_a_broker_that_is_away_for_a_while_loses_no_job(scene: Scene) -> None:
    stop, start = scene.broker.stop, scene.broker.start
    if stop is None or start is None:
        return  # there is nothing that could stop
    producer = Producer(scene.server, scene.queue.name, JOBS, 0.01)
    producer.start()
    time.sleep(1)
    stop()
    scene.queue.wait_stat(lambda stat: stat.state == "connecting" and stat.error_message != "")
    time.sleep(5)
    start()
    scene.accounted(producer)
    scene.queue.wait_stat(lambda stat: stat.state == "ready" and stat.error_message == "")


def test_a_server_starts_without_its_broker_and_connects_later(scene: Scene) -> None:
    stop, start = scene.broker.stop, scene.broker.start
    if stop is None or start is None:
        return  # there is nothing that could stop
    stop()
    scene.restart()
    assert scene.queue.stat().state == "connecting"
    producer = Producer(scene.server, scene.queue.name, 5, 0.0)
    producer.start()
    start()
    scene.accounted(producer)


def test_a_stop_with_running_jobs_finishes_them_and_returns_the_rest(scene: Scene, tmp_path: Path) -> None:
    scene.queue.pause()
    slow = scene.queue.push_many([{"sleep": 0.5}] * 10)
    scene.queue.resume()
    scene.queue.runs.wait(slow[:2])
    began = time.monotonic()
    assert scene.server.server.stop() == 0
    assert time.monotonic() - began < 25
    if scene.subject.persistent:
        scene.server.disconnect()
        scene.restart()
        runs = scene.queue.runs.wait(slow)
        assert len(runs) == len(slow)
    else:
        assert "jobs in memory are lost" in scene.server.server.stderr
