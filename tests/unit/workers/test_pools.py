"""The pools of a plugin start together; if one fails, none stays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.pools import destroy_pools, start_pools
from support.asgi import ScriptedPool

CONFIGS = {"http": PoolConfig(num_workers=1), "http.slow": PoolConfig(num_workers=2), "http.big": PoolConfig()}


class Factory:
    """Makes a pool once its gate is open; the pools named in ``broken`` fail to start."""

    def __init__(self, *broken: str) -> None:
        self.gates = {name: asyncio.Event() for name in CONFIGS}
        self.made: dict[str, ScriptedPool] = {}
        self.begun: list[tuple[str, int, Mapping[str, str]]] = []
        self._broken = broken

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> ScriptedPool:
        assert queue is QueuePolicy.ADAPTIVE_LIFO
        self.begun.append((name, config.num_workers, env))
        await self.gates[name].wait()
        if name in self._broken:
            raise WorkerStartError(["php", name], "no hello")
        self.made[name] = ScriptedPool()
        return self.made[name]


def test_pools_start_at_the_same_time() -> None:
    async def main() -> None:
        factory = Factory()
        start = asyncio.create_task(start_pools(factory, CONFIGS, {"RR_MODE": "http"}, queue=QueuePolicy.ADAPTIVE_LIFO))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [(name, workers) for name, workers, _ in factory.begun] == [
            ("http", 1),
            ("http.slow", 2),
            ("http.big", 0),
        ]
        assert {env["RR_MODE"] for _, _, env in factory.begun} == {"http"}
        for gate in factory.gates.values():
            gate.set()
        pools = await start
        assert list(pools) == list(CONFIGS)
        await destroy_pools(pools, 0)
        assert all(pool.destroyed for pool in factory.made.values())

    asyncio.run(main())


def test_no_pool_is_left_if_one_fails_to_start() -> None:
    async def main() -> None:
        factory = Factory("http.slow")
        factory.gates["http"].set()
        factory.gates["http.slow"].set()
        with pytest.raises(WorkerStartError, match="no hello"):
            await start_pools(factory, CONFIGS, {"RR_MODE": "http"}, queue=QueuePolicy.ADAPTIVE_LIFO)
        assert list(factory.made) == ["http"]
        assert factory.made["http"].destroyed

    asyncio.run(main())


def test_no_pool_is_left_if_the_start_is_cancelled() -> None:
    async def main() -> None:
        factory = Factory()
        factory.gates["http"].set()
        start = asyncio.create_task(start_pools(factory, CONFIGS, {"RR_MODE": "http"}, queue=QueuePolicy.ADAPTIVE_LIFO))
        for _ in range(5):
            await asyncio.sleep(0)
        assert "http" in factory.made
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert factory.made["http"].destroyed

    asyncio.run(main())
