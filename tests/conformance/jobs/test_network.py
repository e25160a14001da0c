"""The ledger of ``test_ledger.py`` with a network that fails, and with two servers on one queue."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.brokers import Brokers
from support.job_ledger import PATIENCE, Producer, Scene, twice
from support.jobs_subjects import SUBJECTS, Broker, Subject, running
from support.tcp_proxy import TcpProxy

CUTS = 4  # after each, the pipeline waits longer before it connects
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")
NETWORKED = [subject for subject in SUBJECTS if subject.driver not in ("memory", "folder")]


class Network:
    """The network between a server and its broker."""

    def __init__(self, stack: ExitStack, broker: Broker) -> None:
        self.proxies: dict[int, TcpProxy] = {}
        self._broker = broker
        self._stack = stack

    def between(self, value: Any) -> Any:
        """Settings with proxies in place of the addresses on loopback."""
        if isinstance(value, dict):
            return {key: self.between(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.between(item) for item in value]
        return _ADDRESS.sub(self._proxied, value) if isinstance(value, str) else value

    def _proxied(self, found: re.Match[str]) -> str:
        port = int(found[1])
        if port not in self.proxies:
            own = self._broker.proxies.get(port)
            self.proxies[port] = own or self._stack.enter_context(TcpProxy(port))
        return f"127.0.0.1:{self.proxies[port].port}"


@pytest.fixture(params=NETWORKED, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


@pytest.fixture
def broker(subject: Subject, tmp_path: Path, brokers: Brokers) -> Iterator[Broker]:
    with running(subject, tmp_path, brokers) as broker:
        yield broker


@pytest.fixture
def scenes(tmp_path: Path) -> Iterator[list[Scene]]:
    made: list[Scene] = []
    yield made
    for scene in made:
        scene.server.disconnect()
        scene.server.server.kill()


def test_cut_connections_lose_no_job(subject: Subject, broker: Broker, scenes: list[Scene], tmp_path: Path) -> None:
    if subject.driver == "boltdb":
        return  # a file
    with ExitStack() as stack:
        network = Network(stack, broker)
        proxied = replace(
            broker, sections=network.between(broker.sections), options=network.between(broker.options), stop=None
        )
        scene = Scene(subject, tmp_path, proxied)
        scenes.append(scene)
        assert network.proxies
        producer = Producer(scene.server, scene.queue.name, 300, 0.01)
        producer.start()
        for cut in range(CUTS):
            time.sleep(0.3)
            for proxy in network.proxies.values():
                proxy.cut(refuse=cut == 1)
            if cut == 1:
                scene.queue.wait_stat(lambda stat: stat.state == "connecting")
                for proxy in network.proxies.values():
                    proxy.accept()
            scene.queue.wait_stat(lambda stat: stat.state == "ready")
        assert twice(scene.accounted(producer)) <= CUTS * 100  # the largest prefetch of the suite


def test_two_servers_on_one_queue_run_each_job_once(
    subject: Subject, broker: Broker, scenes: list[Scene], tmp_path: Path
) -> None:
    two_servers(subject, broker, scenes, tmp_path)
    one, two = scenes
    producers = [Producer(scene.server, scene.queue.name, 200, 0.005) for scene in scenes]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join(PATIENCE)
    ids = [*producers[0].ledger, *producers[1].ledger]
    assert len(ids) == 400
    assert twice(runs_of_both(scenes, ids)) == 0
    assert one.queue.runs.all()
    assert two.queue.runs.all()


def test_the_jobs_of_a_killed_server_run_on_the_other(
    subject: Subject, broker: Broker, scenes: list[Scene], tmp_path: Path
) -> None:
    two_servers(subject, broker, scenes, tmp_path)
    killed, other = scenes
    producer = Producer(other.server, other.queue.name, 300, 0.005)
    producer.start()
    ids: list[str] = []
    until = time.monotonic() + PATIENCE / 2
    while not killed.queue.runs.all():  # the other server may take all jobs of a batch
        assert time.monotonic() < until, f"the other server took all of {len(ids)} jobs"
        ids += killed.queue.push_many([{"sleep": 0.02}] * 10)
        time.sleep(0.05)
    killed.server.server.kill()
    producer.join(PATIENCE)
    assert twice(runs_of_both(scenes, [*ids, *producer.ledger])) <= 100  # the largest prefetch of the suite


def two_servers(subject: Subject, broker: Broker, scenes: list[Scene], folder: Path) -> None:
    """Start two servers with the same pipeline."""
    for number in (1, 2):
        own = folder / str(number)
        own.mkdir()
        scenes.append(Scene(subject, own, broker))


def runs_of_both(scenes: list[Scene], ids: Sequence[str]) -> Counter[str]:
    """Wait until each of these jobs ran; how often each did."""
    until = time.monotonic() + PATIENCE
    while True:
        counts = Counter(run.id for scene in scenes for run in scene.queue.runs.all())
        if set(ids) <= set(counts):
            return counts
        assert time.monotonic() < until, f"{len(set(ids) - set(counts))} jobs never ran"
        time.sleep(0.02)
