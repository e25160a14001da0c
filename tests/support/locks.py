"""Named locks over RPC, and the lock drivers as subjects of one suite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pyroadrunner.proto.lock.v1beta1.lock_pb2 import Request, Response
from pyroadrunner.sdk.rpc import AsyncRpcClient
from support.programs import PATIENCE
from support.redis import redis_cluster, redis_sentinel, redis_server
from support.server import Server

DRIVERS = ["memory", "redis", "redis-cluster", "redis-sentinel"]
LONG = 60_000_000  # microseconds


class LockClient:
    """The methods of ``lock`` with undecoded replies."""

    def __init__(self, rpc: AsyncRpcClient) -> None:
        self.rpc = rpc

    async def call(self, method: str, resource: str, id: str = "", ttl: int = 0, wait: int = 0) -> bool:  # noqa: A002
        request = Request(resource=resource, id=id, ttl=ttl, wait=wait)
        return (await self.rpc.call_message(f"lock.{method}", request, Response, timeout=30)).ok

    async def view(self, resource: str) -> dict[str, Any]:
        """The entry of a name in ``lock.List``; empty if it is not locked."""
        return next((one for one in await self.rpc.call("lock.List") if one["resource"] == resource), {})

    async def until_waiting(self, resource: str, ids: list[str]) -> None:
        """Return when these ids wait, in this order."""
        async with asyncio.timeout(PATIENCE):
            while (await self.view(resource)).get("waiting", []) != ids:
                pass


@contextmanager
def section(driver: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The config that selects a driver, JSON-able, while its server is running."""
    with ExitStack() as stack:
        config: dict[str, Any] = {}
        if driver == "redis":
            config = {"addrs": [stack.enter_context(redis_server(folder)).address]}
        elif driver == "redis-cluster":
            config = {"addrs": [server.address for server in stack.enter_context(redis_cluster(folder))]}
        elif driver == "redis-sentinel":
            _, _, sentinel = stack.enter_context(redis_sentinel(folder, password="secret"))
            logins = {"password": "secret", "sentinel_password": "secret"}
            config = {"addrs": [sentinel.address], "master_name": "mymaster", **logins}
        yield {"lock": {"driver": "redis", "config": config}} if config else {}


@contextmanager
def two_servers(driver: str, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that share their locks; with the driver ``memory`` the same server twice."""
    with section(driver, folder) as config, servers_with(config, folder) as servers:
        yield servers


@contextmanager
def servers_with(config: dict[str, Any], folder: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers with this config; the same server twice if the config does not make them share locks."""
    with ExitStack() as stack:
        servers = []
        for number in range(2 if config else 1):
            (folder / str(number)).mkdir()
            servers.append(stack.enter_context(Server(folder / str(number), config)))
        yield servers[0], servers[-1]
