"""The start without the client library; calls before the start."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import pytest

from pyroadrunner.contracts import PoolConfig, PoolFactory, QueuePolicy, WorkerPool
from pyroadrunner.plugins.centrifuge.config import CentrifugeConfig
from pyroadrunner.plugins.centrifuge.errors import GrpcNotInstalled, NotStarted
from pyroadrunner.plugins.centrifuge.plugin import CentrifugePlugin


class NoPools(PoolFactory):
    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        raise AssertionError("no worker starts")


def plugin() -> CentrifugePlugin:
    return CentrifugePlugin(CentrifugeConfig(proxy_address="127.0.0.1:0"), NoPools())


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyroadrunner.plugins.centrifuge.api", raising=False)
    for name in ["grpc", *(name for name in sys.modules if name.startswith("grpc."))]:
        monkeypatch.setitem(sys.modules, name, None)

    async def start() -> None:
        with pytest.raises(GrpcNotInstalled, match=r"pip install 'pyroadrunner\[centrifuge\]'"):
            await plugin().start()

    asyncio.run(start())


def test_a_call_before_the_start_fails_as_in_roadrunner() -> None:
    method = plugin().rpc_methods()["Publish"]
    assert method.message is not None
    with pytest.raises(NotStarted, match="RoadRunner is not ready yet, try in a few seconds"):
        asyncio.run(method.call(method.message()))


def test_the_keys_of_the_pool_are_reloaded() -> None:
    assert "pool.num_workers" in plugin().reloadable_keys()
    assert all(key.startswith("pool.") for key in plugin().reloadable_keys())
