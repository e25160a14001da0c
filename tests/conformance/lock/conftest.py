"""All lock drivers in real servers, each started once. Each test has its own names for locks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pyroadrunner.sdk.rpc import AsyncRpcClient
from support.brokers import Brokers
from support.locks import DRIVERS, LockClient, section, servers_with
from support.server import Server

Scene = Callable[[LockClient, LockClient], Awaitable[None]]


@pytest.fixture(scope="session", params=DRIVERS)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, brokers: Brokers
) -> Iterator[tuple[Server, Server]]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    config = brokers.use(f"lock-{request.param}", partial(section, request.param))
    with servers_with(config, folder) as servers:
        yield servers


@pytest.fixture
def play(servers: tuple[Server, Server]) -> Callable[[Scene], None]:
    """Runs a scenario with one client of each of two servers."""

    async def running(scene: Scene) -> None:
        async with AsyncRpcClient(servers[0].rpc) as one, AsyncRpcClient(servers[1].rpc) as other:
            await scene(LockClient(one), LockClient(other))

    return lambda scene: asyncio.run(running(scene))
