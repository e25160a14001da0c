"""RabbitMQ itself stops, and is killed, while two servers push and run the jobs of one quorum queue: none is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from pyroadrunner.sdk.jobs import Jobs, NewJob
from pyroadrunner.sdk.rpc import CallFailed, RpcClient, Unreachable
from support.job_runs import JobServer
from support.rabbitmq import rabbitmq

QUEUE = {
    "queue": "ledger",
    "routing_key": "ledger",
    "exchange": "ledger",
    "durable": True,
    "exchange_durable": True,
    "queue_headers": {"x-queue-type": "quorum"},
}
PATIENCE = 60.0  # seconds


class Producer(threading.Thread):
    """Pushes jobs until it is told to stop.

    Attributes:
        ledger: the accepted ids.
        failures: of pushes.
    """

    def __init__(self, server: JobServer) -> None:
        super().__init__(daemon=True)
        self.ledger: list[str] = []
        self.failures: list[str] = []
        self.stopped = threading.Event()
        self._address = server.server.rpc

    def run(self) -> None:
        with RpcClient(self._address) as rpc:
            while not self.stopped.is_set():
                jobs = [NewJob(name="Job", payload=b'{"sleep": 0.002}') for _ in range(5)]
                try:
                    Jobs(rpc).push_many("ledger", jobs)
                    self.ledger += [job.id for job in jobs]
                except (CallFailed, Unreachable) as error:
                    self.failures.append(str(error))
                time.sleep(0.02)

    def more(self) -> None:
        """Wait until further jobs are accepted."""
        until, wanted = time.monotonic() + PATIENCE, len(self.ledger) + 50
        while len(self.ledger) < wanted:
            assert time.monotonic() < until, f"{len(self.ledger)} jobs were accepted; errors: {self.failures}"
            time.sleep(0.02)


@pytest.mark.timeout(300)  # RabbitMQ starts three times, half a minute each on a busy machine
def test_a_broker_that_stops_or_is_killed_loses_no_job(tmp_path: Path) -> None:
    with rabbitmq(tmp_path) as node:
        servers = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            servers.append(JobServer(tmp_path / name, {"amqp": {"addr": node.address}}, workers=1))
        with servers[0].server, servers[1].server:
            for server in servers:
                server.jobs.declare("ledger", "amqp", **QUEUE)
                server.jobs.resume("ledger")
            producer = Producer(servers[0])
            producer.start()
            producer.more()
            node.stop()
            time.sleep(1)
            node.start()
            producer.more()
            node.kill()
            node.start()
            producer.more()
            producer.stopped.set()
            producer.join()
            until = time.monotonic() + PATIENCE
            while True:
                counts = Counter(run.id for server in servers for run in server.runs.all())
                lost = [name for name in producer.ledger if not counts[name]]
                if not lost:
                    break
                assert time.monotonic() < until, f"{len(lost)} of {len(producer.ledger)} accepted jobs never ran"
                time.sleep(0.1)
            assert all(server.runs.all() for server in servers)
            for server in servers:
                server.disconnect()
