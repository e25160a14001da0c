"""A cancelled start of `http`, on real sockets; only the workers are fakes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.plugin import HttpPlugin
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from support.asgi import ScriptedPool
from support.pools import run
from support.rpc import FakeEffective
from support.server import free_port

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Factory:
    """When the workers have started, a client connects; immediately after, while the listener starts, the stop
    comes."""

    def __init__(self, port: int) -> None:
        self.pool = ScriptedPool()
        self.client = socket.socket()
        self._port = port

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> ScriptedPool:
        self.client.settimeout(20)
        self.client.connect(("127.0.0.1", self._port))
        self.client.sendall(REQUEST)
        return self.pool


class GivesUp(FakeEffective):
    """Cancels the start when the workers are running, before the listener starts."""

    start: asyncio.Task[None]

    def as_dict(self) -> dict[str, Any]:
        asyncio.get_running_loop().call_soon(self.start.cancel)
        return {}


def test_a_connected_client_gets_a_response_and_no_socket_listens_afterwards() -> None:
    """In a restart, new connections already arrive here before the start is complete."""

    async def main() -> None:
        port = free_port()
        factory, effective = Factory(port), GivesUp()
        plugin = HttpPlugin(HttpConfig(address=f"127.0.0.1:{port}"), factory, effective)
        effective.start = asyncio.create_task(plugin.start())
        with factory.client as client:
            with pytest.raises(asyncio.CancelledError):
                await effective.start
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert factory.pool.destroyed
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 20)

    run(main())
