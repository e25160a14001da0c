"""Check that workers start: start and stop one of each kind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pyroadrunner.cli.doctor.finding import Finding, fail, ok
from pyroadrunner.config.sections import NEED_SERVER
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.sockets import SocketListener
from pyroadrunner.plugins.server.config import ServerConfig
from pyroadrunner.plugins.server.environment import worker_environment
from pyroadrunner.plugins.server.php_library import php_library
from pyroadrunner.workers.child_process import Credentials
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.spawn import MAX_ANSWER, Spawner

_PART = "workers"
_ELSEWHERE = "tcp://127.0.0.1:0"  # a running server may hold the relay's own address


def kinds(sections: Mapping[str, msgspec.Struct]) -> Iterator[tuple[str, PoolConfig]]:
    """The sections with workers, and their pools. Pure."""
    for name in NEED_SERVER:
        pool = getattr(sections.get(name), "pool", None)
        if isinstance(pool, PoolConfig):
            yield name, pool


def inspect(server: ServerConfig, name: str, pool: PoolConfig, rpc: str) -> Finding:
    """Start one worker the way the server does, then stop it.

    Args:
        name: the section, which is also the worker's ``RR_MODE``.
        rpc: ``rpc.listen``; the address need not be open.
    """
    what = f"{name}: {' '.join(pool.command or server.command)}"
    try:
        seconds, memory = asyncio.run(_boot(server, name, pool, rpc))
    except RoadRunnerError as wrong:
        return fail(_PART, what, str(wrong), "run the command by hand: it should wait and print nothing")
    return ok(_PART, what, f"started in {seconds:.2f} s, {memory >> 20} MB")


async def _boot(server: ServerConfig, name: str, pool: PoolConfig, rpc: str) -> tuple[float, int]:
    listener: SocketListener | None = None
    if server.relay not in ("", "pipes"):
        listener = SocketListener(_ELSEWHERE, MAX_ANSWER)
        await listener.start()
    relay = "pipes" if listener is None else listener.address
    env = worker_environment(
        os.environ, relay=relay, rpc=rpc, library=php_library(), server=server.env, plugin={"RR_MODE": name}
    )
    credentials = Credentials.of(server.user, server.group)
    command = pool.command or server.command
    try:
        began = time.monotonic()
        spawner = Spawner(
            command, env, pool=name, timeout=pool.allocate_timeout, credentials=credentials, listener=listener
        )
        worker = await spawner.spawn()
        found = time.monotonic() - began, worker.memory()
        await worker.stop()
        return found
    finally:
        if listener is not None:
            await listener.close()


def rpc_of(config: Mapping[str, Any]) -> str:
    """``rpc.listen``; empty if there is no ``rpc`` section. Pure."""
    section = config.get("rpc")
    return str(section.get("listen") or "") if isinstance(section, dict) else ""
