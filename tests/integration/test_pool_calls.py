"""What docs/plugins.md shows of a pool, run on real PHP workers: the functions of examples/pool/calls.py."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from pyroadrunner.contracts import Payload, PoolConfig, WorkerGone, WorkerReady
from pyroadrunner.plugins.server.config import ServerConfig
from pyroadrunner.plugins.server.php_library import php_library
from pyroadrunner.plugins.server.plugin import ServerPlugin
from pyroadrunner.workers.pool import Pool
from support.log import logged
from support.php import require_php
from support.plugins import WholeConfig
from support.pools import run, running_pool, spawner

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKER = EXAMPLES / "plugin-spool" / "worker.php"
CALLS = runpy.run_path(str(EXAMPLES / "pool" / "calls.py"))


def pool(**keys: Any) -> AbstractAsyncContextManager[Pool]:
    return running_pool(spawner([require_php(), str(WORKER)], RR_PHP_LIBRARY=php_library()), **keys)


def test_calls_with_options_and_calls_that_fail() -> None:
    async def live() -> tuple[bytes, str]:
        async with pool(num_workers=1) as one:
            return await CALLS["call_with_options"](one), await CALLS["call_that_may_fail"](one)

    assert run(live()) == (b"REPORT 17", "there is no text in it")


def test_a_lease_for_two_calls_and_one_for_as_long_as_the_worker_may_stay() -> None:
    async def live() -> tuple[list[bytes], str, str]:
        async with pool(num_workers=1, max_jobs=20) as one:
            both = await CALLS["two_calls_on_one_worker"](one)
            ended = await CALLS["hold_a_worker"](one, lambda: Payload(b"{}", b"more"))
            return both, ended, await CALLS["hold_a_worker"](one, lambda: None)

    assert run(live()) == ([b"BEGIN", b"COMMIT"], "maxJobsReached", "no work left")


def test_a_subscriber_hears_of_a_crash() -> None:
    async def live() -> list[dict[str, Any]]:
        async with pool(num_workers=1) as one:
            ready: asyncio.Queue[int] = asyncio.Queue()
            one.subscribe(lambda event: ready.put_nowait(event.pid) if isinstance(event, WorkerReady) else None)
            unsubscribe = CALLS["log_crashes"](one)
            (before,) = await one.workers()
            with logged("reports") as log:
                os.kill(before.pid, signal.SIGKILL)
                second = await ready.get()
                unsubscribe()
                gone: asyncio.Queue[WorkerGone] = asyncio.Queue()
                one.subscribe(lambda event: gone.put_nowait(event) if isinstance(event, WorkerGone) else None)
                os.kill(second, signal.SIGKILL)
                assert (await gone.get()).pid == second
            lines = log.of("worker crashed")
            assert [line.pop("pid") for line in lines] == [before.pid]
            return lines

    assert run(live()) == [{"cause": "errored", "exit_status": -signal.SIGKILL}]


def test_a_pool_of_the_server_plugin_describes_its_load() -> None:
    async def live() -> str:
        server = ServerPlugin(ServerConfig(command=[require_php(), str(WORKER)]), WholeConfig())
        await server.start()
        made = await CALLS["make_a_pool_for_impatient_clients"](server, PoolConfig(num_workers=2))
        try:
            load: str = await CALLS["describe_load"](made)
            return load
        finally:
            await made.destroy(0.0)
            await server.stop(0.0)

    assert run(live()) == "0 working, 2 free, 0 waiting; median wait 0.000 s"
