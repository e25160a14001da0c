"""All drivers in a real ``rr serve``, each started once; each test gets an empty storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kv import KvClient
from support.kv_subjects import SUBJECTS, Subject, running
from support.server import Server


@pytest.fixture(scope="session", params=SUBJECTS, ids=lambda subject: subject.name)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Subject, Server]]:
    subject: Subject = request.param
    folder: Path = tmp_path_factory.mktemp(subject.name)
    with running(subject, folder) as config, Server(folder, {"kv": {"store": config}}) as server:
        yield subject, server


@pytest.fixture
def subject(served: tuple[Subject, Server]) -> Subject:
    return served[0]


@pytest.fixture
def kv(served: tuple[Subject, Server]) -> Iterator[KvClient]:
    with KvClient(served[1].rpc, "store") as client:
        client.clear()
        yield client
