"""A ledger: the ids of accepted jobs, and a server whose runs account for them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from pyroadrunner.sdk.jobs import Jobs, NewJob
from pyroadrunner.sdk.rpc import CallFailed, Unreachable
from support.job_runs import JobServer, PatientRpc, Queue
from support.jobs_subjects import Broker, Subject

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
        with PatientRpc(self._address) as rpc:
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
        try:
            self.server.server.start().wait_for("RoadRunner server started")
        except BaseException:
            self.server.server.kill()
            raise
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


def twice(counts: Counter[str]) -> int:
    """How many jobs ran more than once."""
    return sum(count > 1 for count in counts.values())
