"""The ``jobs`` plugin with fake workers, and a driver that the test controls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from pyroadrunner.config.effective import Leaf
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.contracts import EffectiveConfig, PoolFactory, Tracing, WorkerPool
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.plugins.jobs.config import JobsConfig
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
)
from pyroadrunner.plugins.jobs.plugin import JobsPlugin
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.debug_pool import DebugPool
from pyroadrunner.workers.pool import Pool
from support.fake_workers import FakeProcess, FakeSpawner
from support.virtual_time import turns


def jobs_section(**keys: Any) -> JobsConfig:
    """A ``jobs`` section, read as from a file."""
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    config = reader.read(JobsConfig, keys, ("jobs",))
    assert isinstance(config, JobsConfig), reader.faults
    return config


class NoSections(EffectiveConfig):
    """The config of a server with no other section."""

    def as_dict(self) -> dict[str, Any]:
        return {}

    def leaves(self) -> Sequence[Leaf]:
        return ()

    def section(self, name: str) -> msgspec.Struct | None:
        return None

    @property
    def experimental(self) -> bool:
        return False


class FakePools(PoolFactory):
    """Makes pools of fake workers.

    Attributes:
        spawners: by name of the pool.
    """

    def __init__(self) -> None:
        self.spawners: dict[str, FakeSpawner] = {}

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        assert env == {"RR_MODE": "jobs"}
        spawner = self.spawners[name] = FakeSpawner()
        if config.debug:
            return DebugPool(name, config, spawner)
        pool = Pool(name, config, spawner, queue)
        await pool.start()
        return pool


def head_of(frame: Frame) -> dict[str, Any]:
    """What a worker gets about its job."""
    head: dict[str, Any] = json.loads(bytes(frame.payload[: frame.options[0]]))
    return head


class RunningJobs:
    """The started plugin.

    Attributes:
        plugin: the real one.
    """

    def __init__(self, plugin: JobsPlugin, pools: FakePools) -> None:
        self.plugin = plugin
        self._pools = pools
        self._methods = plugin.rpc_methods()

    def workers(self, pool: str = "jobs") -> list[FakeProcess]:
        """The workers of a pool that have not exited."""
        return self._pools.spawners[pool].running()

    def fail_starts(self, number: int, pool: str = "jobs") -> None:
        """Let the next starts of workers fail."""
        self._pools.spawners[pool].failing = number

    def pools(self) -> set[str]:
        """Names of the pools that were started."""
        return set(self._pools.spawners)

    def running(self, pool: str = "jobs") -> list[str]:
        """Ids of the jobs that workers have now."""
        return [head_of(frame)["id"] for worker in self.workers(pool) for frame in worker.requests]

    async def call(self, method: str, **fields: Any) -> Any:
        """Call an RPC method with a message of these fields."""
        known = self._methods[method]
        assert known.message is not None
        result = known.call(known.message(**fields))
        return await result if hasattr(result, "__await__") else result

    async def push(self, *ids: str, pipeline: str = "p", headers: Headers | None = None, **options: Any) -> None:
        """Push one job for each id, and let the server handle them."""
        for one in ids:
            await self.call(
                "Push",
                job={
                    "id": one,
                    "job": "Job",
                    "payload": one.encode(),
                    "headers": {name: {"value": values} for name, values in (headers or {}).items()},
                    "options": {"pipeline": pipeline, **options},
                },
            )
        await turns()

    async def answer(self, data: Any = None, *, kind: int = 0, pool: str = "jobs") -> str:
        """Answer the oldest job of the first worker that has one; return the job's id."""
        worker = next(worker for worker in self.workers(pool) if worker.requests)
        found = head_of(worker.requests[0])["id"]
        worker.answer(json.dumps({"type": kind, "data": data or {}}).encode())
        await turns()
        return str(found)

    async def finish(self, pool: str = "jobs") -> list[str]:
        """Answer jobs until none runs; return their ids in the order of the answers."""
        done = []
        while self.running(pool):
            done.append(await self.answer(pool=pool))
        return done


@asynccontextmanager
async def running_jobs(*, tracing: Sequence[Tracing] = (), **keys: Any) -> AsyncIterator[RunningJobs]:
    """The plugin with this section: without one, a consumed memory pipeline ``p`` and one worker."""
    defaults: dict[str, Any] = {"pool": {"num_workers": 1}, "consume": ["p"], "pipelines": {"p": {"driver": "memory"}}}
    pools = FakePools()
    plugin = JobsPlugin(jobs_section(**{**defaults, **keys}), pools, NoSections(), tracing)
    await plugin.start()
    await turns(10)
    try:
        yield RunningJobs(plugin, pools)
    finally:
        await plugin.stop(0.0)
        await turns()


class FakeDriver(Driver):
    """A driver whose broker is the test.

    Attributes:
        fails: raised by each operation, if set; ``hangs``: operations never end.
        log: the operations, in order.
        pushed: all jobs that the broker has.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.fails: Exception | None = None
        self.hangs = False
        self.stat_error = ""
        self.connected = False
        self.consuming = False
        self.log: list[str] = []
        self.pushed: list[Job] = []

    async def _do(self, what: str) -> None:
        self.log.append(what)
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails is not None:
            raise self.fails

    def cut(self, why: str = "cut") -> None:
        """The connection breaks; operations fail until the next one."""
        self.fails = BrokerError(why)
        self.host.lost(why)

    def deliver(self, **fields: Any) -> Delivery:
        """Deliver a job."""
        name = fields.pop("id", "1")
        delivery = Delivery(job=Job(id=name, name="Job", payload=b"", **fields))
        self.host.deliver(delivery)
        return delivery

    async def connect(self) -> None:
        await self._do("connect")
        self.connected = True

    async def disconnect(self) -> None:
        self.log.append("disconnect")
        self.connected = self.consuming = False

    async def push(self, jobs: Sequence[Job]) -> None:
        await self._do("push " + ",".join(job.id for job in jobs))
        self.pushed += jobs

    async def consume(self) -> None:
        await self._do("consume")
        self.consuming = True

    async def cancel(self) -> None:
        await self._do("cancel")
        self.consuming = False

    async def ack(self, delivery: Delivery) -> None:
        await self._do(f"ack {delivery.job.id}")

    async def nack(self, delivery: Delivery) -> None:
        await self._do(f"nack {delivery.job.id}")

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        await self._do(f"redeliver {delivery.job.id} in {delay}")

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self._do(f"requeue {delivery.job.id} in {delay}")

    async def release(self, delivery: Delivery) -> None:
        await self._do(f"release {delivery.job.id}")

    async def take(self, limit: int) -> Sequence[Delivery]:
        return []

    async def stat(self) -> BrokerStats:
        await self._do("stat")
        return BrokerStats(queue="q", active=len(self.pushed), error=self.stat_error)
