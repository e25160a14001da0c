"""Starts and stops all pools of a plugin together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.contract import PoolFactory, WorkerPool


async def start_pools(
    factory: PoolFactory,
    configs: Mapping[str, PoolConfig],
    env: Mapping[str, str],
    *,
    queue: QueuePolicy = QueuePolicy.FIFO,
) -> dict[str, WorkerPool]:
    """Start all pools at the same time, since workers take long to boot. If one fails to start, stop the others.

    Args:
        configs: by name of the pool.
        env: extra environment of the workers (``RR_MODE``), over ``server.env``.
        queue: the order in which waiting calls are served.

    Raises:
        WorkerStartError: of the first pool that failed.
    """
    tasks = {
        name: asyncio.ensure_future(factory.create_pool(name, config, env, queue=queue))
        for name, config in configs.items()
    }
    try:
        await asyncio.gather(*tasks.values())
    except BaseException:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        started = {name: task.result() for name, task in tasks.items() if not task.cancelled() and not task.exception()}
        await destroy_pools(started, 0)
        raise
    return {name: task.result() for name, task in tasks.items()}


async def destroy_pools(pools: Mapping[str, WorkerPool], grace: float) -> None:
    """Stop all pools at the same time; running calls have ``grace`` seconds to end."""
    await asyncio.gather(*(pool.destroy(grace) for pool in pools.values()))
