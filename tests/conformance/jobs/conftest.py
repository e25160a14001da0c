"""All drivers in a real ``rr serve``, each started once; each test gets pipelines of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from support.brokers import Brokers
from support.job_runs import JobServer, Queue
from support.jobs_subjects import SUBJECTS, Subject, running

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", params=SUBJECTS, ids=lambda subject: subject.name)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, brokers: Brokers
) -> Iterator[tuple[Subject, JobServer]]:
    subject: Subject = request.param
    folder = tmp_path_factory.mktemp(subject.name)
    with running(subject, folder, brokers) as broker:
        server = JobServer(folder, broker.sections, env=broker.env)
        with server.server:
            yield replace(subject, options=lambda name: {**subject.options(name), **broker.options}), server
            server.disconnect()


@pytest.fixture
def subject(served: tuple[Subject, JobServer]) -> Subject:
    return served[0]


@pytest.fixture
def server(served: tuple[Subject, JobServer]) -> JobServer:
    return served[1]


@pytest.fixture
def make_queue(subject: Subject, server: JobServer) -> Iterator[Callable[..., Queue]]:
    """Makes a pipeline with these additional options; it is not declared yet."""
    made: list[Queue] = []

    def make(**options: Any) -> Queue:
        name = f"{subject.name}-{os.getpid()}-{next(_NUMBERS)}"
        queue = Queue(server, name, subject.driver, {**subject.options(name), **options})
        made.append(queue)
        return queue

    yield make
    for queue in made:
        if any(stat.pipeline == queue.name for stat in server.jobs.stats()):
            queue.destroy()


@pytest.fixture
def queue(make_queue: Callable[..., Queue]) -> Queue:
    """A pipeline that is consumed."""
    queue = make_queue()
    queue.declare()
    return queue
