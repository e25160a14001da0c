"""The pools of a plugin: all started at once, none left over when one does not come up."""

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
    """All at once, since workers take their time to boot.

    Args:
        configs: by the pool's name.
        env: extra environment of the workers (``RR_MODE``), over ``server.env``.
        queue: in which order waiting calls are served.

    Raises:
        WorkerStartError: of the first that did not come up.
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
        up = {name: task.result() for name, task in tasks.items() if not task.cancelled() and not task.exception()}
        await destroy_pools(up, 0)
        raise
    return {name: task.result() for name, task in tasks.items()}


async def destroy_pools(pools: Mapping[str, WorkerPool], grace: float) -> None:
    """Let them finish what runs within ``grace`` seconds, all at the same time; stop their workers."""
    await asyncio.gather(*(pool.destroy(grace) for pool in pools.values()))
