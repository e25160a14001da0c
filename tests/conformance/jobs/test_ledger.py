"""Every accepted job is accounted for, whatever happens: done, or a dead letter with its reason.

A ledger holds the id of each job that a push has accepted. Meanwhile workers are killed, the broker stops and starts,
and the server is killed. In the end each id ran; how many ran twice is bounded by what was in flight at a kill.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner.sdk.jobs import Jobs, NewJob
from pyroadrunner.sdk.rpc import CallFailed, RpcClient, Unreachable
from support.brokers import Brokers
from support.job_runs import JobServer, Queue
from support.jobs_subjects import SUBJECTS, Broker, Subject, running

JOBS = 400
PATIENCE = 90.0


class Producer(threading.Thread):
    """Pushes jobs until all are accepted; an error is not an acceptance, and its job is pushed again with another id.

    Attributes:
        ledger: the accepted ids.
        unknown: ids whose push failed: they may have been accepted nevertheless.
    """

    def __init__(self, server: JobServer, name: str, count: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.ledger: list[str] = []
        self.unknown: set[str] = set()
        self._address = server.server.rpc
        self._name = name
        self._count = count
        self._pause = pause

    def run(self) -> None:
        with RpcClient(self._address) as rpc:
            while len(self.ledger) < self._count:
                batch = [NewJob(name="Job", payload=json.dumps({"sleep": 0.002}).encode()) for _ in range(5)]
                try:
                    Jobs(rpc).push_many(self._name, batch)
                except (CallFailed, Unreachable):
                    self.unknown |= {job.id for job in batch}
                    time.sleep(0.05)
                    continue
                self.ledger += [job.id for job in batch]
                time.sleep(self._pause)


class Scene:
    """A running server with one pipeline, and its broker."""

    def __init__(self, subject: Subject, folder: Path, broker: Broker) -> None:
        self.subject = subject
        self.broker = broker
        self.server = JobServer(folder, broker.sections, env=broker.env)
        self.server.server.start().wait_for("RoadRunner server started")
        name = f"ledger-{os.getpid()}-{broker.number}"
        options = {**subject.options(name), **broker.options}
        self.queue = Queue(self.server, name, subject.driver, options)
        self.queue.declare()

    def restart(self) -> None:
        """Kill the server with its workers, and start it again."""
        self.server.server.kill()
        self.server.disconnect()
        self.server.server.exit_code = None
        self.server.server.start().wait_for("RoadRunner server started")
        self.queue.declare()

    def kill_worker(self) -> None:
        for pid in sorted(self.server.server.workers("jobs"))[:1]:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)

    def accounted(self, producer: Producer) -> Counter[str]:
        """Wait until all accepted jobs ran; how often each did."""
        producer.join(PATIENCE)
        assert not producer.is_alive(), f"only {len(producer.ledger)} jobs were accepted"
        runs = self.queue.runs.wait(producer.ledger, patience=PATIENCE)
        counts = Counter(run.id for run in runs)
        missing = set(producer.ledger) - set(counts)
        assert not missing, f"{len(missing)} of {len(producer.ledger)} accepted jobs never ran"
        return counts


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


def twice(counts: Counter[str]) -> int:
    return sum(count > 1 for count in counts.values())


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
