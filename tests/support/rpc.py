"""Plugins for ``rpc``, ``informer`` and ``resetter`` to serve, and a client that speaks to ``rpc`` frame by frame."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from pyroadrunner.config.effective import Leaf
from pyroadrunner.contracts import HasRpc, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import Answer, encode_call, read_answer
from pyroadrunner.net.address import Address, TcpAddress
from pyroadrunner.plugins.informer.plugin import InformerPlugin
from pyroadrunner.plugins.resetter.plugin import ResetterPlugin
from pyroadrunner.plugins.rpc.config import RpcConfig
from pyroadrunner.plugins.rpc.plugin import RpcPlugin
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import PoolStats
from support.messages import Order
from support.unused_pool import UnusedPool

CREATED = 1_700_000_000_000_000_000


def worker(pid: int, **fields: Any) -> WorkerInfo:
    """A worker's info; by default of an idle worker."""
    stats: dict[str, Any] = {
        "status": 1,
        "num_execs": 1234,
        "created": CREATED,
        "memory_usage": 14_000_000,
        "cpu_percent": 0.571,
        "status_str": "ready",
        "pool": "http",
    }
    return WorkerInfo(pid=pid, **{**stats, **fields})


class FakePool(UnusedPool):
    """A pool that counts its calls; ``reset`` raises ``fails``.

    Attributes:
        restarted, killed: pids of workers, in order.
    """

    def __init__(self, name: str, infos: Sequence[WorkerInfo] = (), fails: Exception | None = None) -> None:
        self.name = name
        self.resets = 0
        self.added = 0
        self.restarted: list[int] = []
        self.killed: list[int] = []
        self.queued = 0
        self.calls = 0
        self.failed = 0
        self._infos = list(infos)
        self._fails = fails

    async def workers(self) -> list[WorkerInfo]:
        return self._infos

    async def stats(self) -> PoolStats:
        states = Counter(State(info.status) for info in self._infos)
        return PoolStats(
            states=states, free=states[State.READY], queued=self.queued, calls=self.calls, failed=self.failed
        )

    async def reset(self) -> None:
        await asyncio.sleep(0)
        self.resets += 1
        if self._fails is not None:
            raise self._fails

    async def add_worker(self) -> None:
        self.added += 1

    async def remove_worker(self) -> None:
        self.added -= 1

    async def restart_worker(self, pid: int) -> None:
        self.restarted.append(pid)

    async def kill_worker(self, pid: int) -> None:
        self.killed.append(pid)


class FakePlugin:
    """A plugin with pools."""

    def __init__(self, name: str, *pools: FakePool) -> None:
        self.name = name
        self._pools = {pool.name: pool for pool in pools}

    def pools(self) -> Mapping[str, FakePool]:
        return self._pools


class FakeSidecars:
    """A plugin with its own processes; ``reset`` raises ``fails``."""

    def __init__(self, name: str, infos: Sequence[WorkerInfo] = (), fails: Exception | None = None) -> None:
        self.name = name
        self.resets = 0
        self._infos = list(infos)
        self._fails = fails

    async def workers(self) -> list[WorkerInfo]:
        return self._infos

    async def reset(self) -> None:
        await asyncio.sleep(0)
        self.resets += 1
        if self._fails is not None:
            raise self._fails


class Metric(msgspec.Struct):
    """An argument with keys."""

    name: str = ""
    value: float = 0.0
    labels: list[str] = []


class Refused(RoadRunnerError):
    """The error of ``Lab.Refuse``."""


class Lab:
    """A service with a method of every kind.

    Attributes:
        gates: events that ``Wait`` waits for, by name; ``Open`` sets them.
        started: names of the gates of waiting calls, in order; ``ended`` those of calls that have continued.
    """

    name = "lab"

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.started: list[str] = []
        self.ended: list[str] = []

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Echo": RpcMethod(lambda text: text, str),
            "Later": RpcMethod(self._later, str),
            "Wait": RpcMethod(self._wait, str),
            "Open": RpcMethod(self._open, str),
            "Big": RpcMethod(lambda size: b"x" * size, int),
            "Bytes": RpcMethod(lambda data: data[::-1], bytes),
            "Metric": RpcMethod(lambda metric: metric, Metric),
            "Refuse": RpcMethod(self._refuse, str),
            "Break": RpcMethod(self._break),
            "Strange": RpcMethod(lambda _: object()),
            "Order": RpcMethod(self._order, message=Order),
        }

    async def _later(self, text: str) -> str:
        await asyncio.sleep(0)
        return text

    async def _wait(self, name: str) -> str:
        self.started.append(name)
        await self.gates.setdefault(name, asyncio.Event()).wait()
        self.ended.append(name)
        return name

    def _open(self, name: str) -> bool:
        self.gates.setdefault(name, asyncio.Event()).set()
        return True

    async def _refuse(self, text: str) -> None:
        await asyncio.sleep(0)
        raise Refused(text)

    async def _break(self, _: bool) -> None:
        raise ZeroDivisionError("a bug")

    async def _order(self, order: Any) -> Any:
        order.process_num += 1
        return order


class FakeEffective:
    """A config."""

    def as_dict(self) -> dict[str, Any]:
        return {"version": "3", "rpc": {"listen": "tcp://127.0.0.1:6001"}}

    def leaves(self) -> Sequence[Leaf]:
        return ()

    experimental = False

    def section(self, name: str) -> msgspec.Struct | None:
        return None


@asynccontextmanager
async def running_rpc(
    *services: HasRpc, listen: str = "tcp://127.0.0.1:0", plugins: Sequence[FakePlugin] = ()
) -> AsyncIterator[RpcPlugin]:
    """A started ``rpc`` plugin over these services, ``informer`` and ``resetter``."""
    everyone = [*services, InformerPlugin(plugins), ResetterPlugin(plugins)]
    rpc = RpcPlugin(RpcConfig(listen=listen), everyone, FakeEffective())
    await rpc.start()
    try:
        yield rpc
    finally:
        await rpc.stop(0.1)


class RpcPeer:
    """A client that works with frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._frames = FrameReader()
        self._arrived: list[Frame] = []

    @classmethod
    async def connect(cls, address: Address) -> RpcPeer:
        if isinstance(address, TcpAddress):
            return cls(*await asyncio.open_connection(address.to_connect().host, address.port))
        return cls(*await asyncio.open_unix_connection(address.path))

    def send(self, method: str, body: bytes = b"", *, sequence: int = 1, codec: int = Flag.JSON) -> None:
        self.writer.write(encode_call(sequence, method.encode(), body, codec))

    async def frame(self) -> Frame | None:
        """The next frame; ``None`` if the server has closed the connection."""
        while not self._arrived:
            try:
                data = await self.reader.read(1 << 16)
            except ConnectionError:
                return None
            if not data:
                return None
            self._arrived += self._frames.feed(data)
        return self._arrived.pop(0)

    async def answer(self) -> Answer:
        frame = await self.frame()
        if frame is None:
            raise AssertionError("the server closed the connection instead of replying")
        return read_answer(frame)

    async def ask(self, method: str, body: bytes = b"", *, codec: int = Flag.JSON) -> Answer:
        self.send(method, body, codec=codec)
        return await self.answer()

    async def call(self, method: str, argument: Any = True) -> Any:
        """The decoded result of a JSON call; an error is an AssertionError with its text."""
        answer = await self.ask(method, json.dumps(argument).encode())
        assert not answer.failed, answer.body
        return json.loads(answer.body)

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def peer_of(rpc: RpcPlugin) -> AsyncIterator[RpcPeer]:
    """A client of a running ``rpc``."""
    peer = await RpcPeer.connect(rpc.address)
    try:
        yield peer
    finally:
        peer.close()
