"""A queue in Redis: a stream with one consumer group.

**Theory of operation.** An entry is in the stream until its job is done; then it is deleted. Redis remembers which
consumer has it, and since when. The server touches its entries every third of ``visibility_timeout``, so those of a
server that died are idle for longer, and any other server claims them. A job that is given back goes to a consumer of
that name whose entries are always idle. One connection executes commands, another one waits for entries.

All changes are operations of a script (``queue.lua``). A job that is to run again is replaced by its copy in one step.
A job whose server was silent for too long, and which another server has claimed, is not changed any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from uuid import uuid4
from weakref import WeakValueDictionary

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerRefused,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.redis.config import RedisJobsConfig
from pyroadrunner.plugins.jobs.drivers.redis.entry import job_of
from pyroadrunner.plugins.jobs.drivers.redis.queue import RedisQueue, job_arguments
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.keyed import ErrorReply, dial_for_key
from pyroadrunner.remote.redis.settings import RedisSettings

_EVERY = 1.0  # seconds between two looks at delayed jobs, and at those of other servers
_MOST_AT_ONCE = 100  # entries fetched together
_MOST_PROMOTED = 1000
_FORGOTTEN_AFTER = 3600.0  # seconds; consumers of servers that have ended
_TAKEN = "another server has taken the job over: this one was silent for longer than visibility_timeout"

log = Log("jobs")


class Receipt:
    """An entry that this consumer has. The pipeline forgets its delivery when it is settled or given up."""

    __slots__ = ("__weakref__", "entry")

    def __init__(self, entry: bytes) -> None:
        self.entry = entry


class RedisDriver(Driver):
    """A queue."""

    receipts_survive = True

    def __init__(self, host: Host, config: RedisJobsConfig, section: RedisConfig) -> None:
        self._host = host
        self._config = config
        self._redis = config.redis or section
        self._stream = f"{config.prefix}:{{{config.queue}}}"
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:12]}"
        self._visible_ms = int(config.visibility_timeout * 1000)
        self._commands: RedisQueue | None = None
        self._reader: RedisQueue | None = None
        self._reader_id = 0
        # Over all connections. A delivery that is never settled, because no connection came in time, is forgotten:
        # then its time passes, and it is claimed again.
        self._held: WeakValueDictionary[bytes, Receipt] = WeakValueDictionary()
        self._tasks: list[asyncio.Task[None]] = []  # of the connection
        self._fetcher: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RedisDriver({self._stream}, {len(self._held)} held)"

    async def connect(self) -> None:
        queue = self._commands = await self._dial()
        await queue.open()
        await self._give_back_orphans(queue)
        await queue.run("tidy", int(_FORGOTTEN_AFTER * 1000))
        self._tasks = [
            asyncio.create_task(self._keep(queue), name=f"jobs {self._host.name} touch"),
            asyncio.create_task(self._promote(queue), name=f"jobs {self._host.name} delayed"),
        ]

    async def disconnect(self) -> None:
        tasks = [task for task in (*self._tasks, self._fetcher, self._reading) if task is not None]
        self._tasks, self._fetcher, self._reading = [], None, None
        for queue in (self._commands, self._reader):
            if queue is not None:
                queue.close()
        self._commands = self._reader = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def push(self, jobs: Sequence[Job]) -> None:
        limit = self._config.max_items
        if await self._connected().push(jobs, limit) < len(jobs):
            raise PushRefused(f"the queue is full: it holds max_items ({limit}) jobs")

    async def consume(self) -> None:
        if self._reader is None:
            reader = self._reader = await self._dial()
            self._reader_id = await reader.execute("CLIENT", "ID")
        self._fetcher = asyncio.create_task(self._fetch(self._reader), name=f"jobs {self._host.name}")

    async def cancel(self) -> None:
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is None:
            return
        fetcher.cancel()
        await asyncio.wait([fetcher])
        if self._reading is not None and not self._reading.done():
            with contextlib.suppress(BrokerError):  # not permitted: it ends soon by itself
                await self._connected().execute("CLIENT", "UNBLOCK", self._reader_id)
            await asyncio.wait([self._reading])

    async def ack(self, delivery: Delivery) -> None:
        done = await self._connected().run("done", delivery.receipt.entry)
        self._settled(delivery, done)

    async def nack(self, delivery: Delivery) -> None:
        await self.ack(delivery)

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        await self._replace(delivery, delivery.failed_copy(delay))

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self._replace(delivery, delivery.job.copy(headers, delay))

    async def release(self, delivery: Delivery) -> None:
        done = await self._connected().run("release", delivery.receipt.entry)
        self._settled(delivery, done)

    async def take(self, limit: int) -> Sequence[Delivery]:
        queue = self._connected()
        await queue.run("promote", _MOST_PROMOTED)
        found = await self._claim(queue, limit)
        if len(found) < limit:
            found += self._deliveries(await queue.read(limit - len(found), 0))
        return found

    async def stat(self) -> BrokerStats:
        total, delayed, held, released = await self._connected().run("stat")
        reserved = held - released
        return BrokerStats(queue=self._stream, active=total - reserved, delayed=delayed, reserved=reserved)

    # inside

    def _connected(self) -> RedisQueue:
        if self._commands is None:
            raise BrokerError("not connected")
        return self._commands

    async def _dial(self) -> RedisQueue:
        try:
            settings = RedisSettings.of(self._redis)
        except StoreError as error:
            raise BrokerRefused(str(error)) from error
        try:
            connection = await dial_for_key(settings, self._stream, self._host.lost)
        except ErrorReply as error:
            raise BrokerError(str(error)) from error
        except StoreError as error:
            refused = str(error).startswith(("NOAUTH", "WRONGPASS", "ERR AUTH", "ERR DB index"))
            raise (BrokerRefused if refused else BrokerError)(str(error)) from error
        return RedisQueue(connection, self._stream, self._consumer)

    async def _replace(self, delivery: Delivery, copy: Job) -> None:
        done = await self._connected().run("replace", delivery.receipt.entry, *job_arguments(copy))
        self._settled(delivery, done)

    def _settled(self, delivery: Delivery, done: int) -> None:
        self._held.pop(delivery.receipt.entry, None)
        if not done:
            raise BrokerError(_TAKEN)

    async def _fetch(self, reader: RedisQueue) -> None:
        """Deliver as many jobs as the pipeline has room for; those that were given back or belong to a dead server
        first."""
        loop = asyncio.get_running_loop()
        looked = -_EVERY
        with contextlib.suppress(BrokerError):  # _read has told the pipeline
            while True:
                room = min(await self._host.room(self._config.prefetch), _MOST_AT_ONCE)
                look = loop.time() - looked >= _EVERY
                if look:
                    looked = loop.time()
                self._reading = asyncio.create_task(self._read(reader, room, look))
                await asyncio.shield(self._reading)

    async def _read(self, reader: RedisQueue, room: int, look: bool) -> None:
        """Read and deliver. Not cancelled by :meth:`cancel`: what arrives later is given back."""
        try:
            found = await self._claim(self._connected(), room) if look else []
            if not found and self._fetcher is not None:
                found = self._deliveries(await reader.read(room, int(_EVERY * 1000)))
            for delivery in found:
                if self._fetcher is None:
                    await self.release(delivery)
                else:
                    self._host.deliver(delivery)
        except BrokerError as error:
            if self._fetcher is not None:
                self._host.lost(str(error))
                raise

    async def _claim(self, queue: RedisQueue, most: int) -> list[Delivery]:
        """Jobs that were given back, or whose server is silent. Its own that the pipeline has forgotten come back with
        the next call."""
        claimed, mine = await queue.run("claim", self._visible_ms, most)
        if forgotten := [entry for entry in mine if entry not in self._held]:
            await queue.run("forget", *forgotten)
        return [self._delivery(entry, fields, earlier) for entry, fields, earlier in claimed]

    def _deliveries(self, entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[Delivery]:
        return [self._delivery(entry, fields, 0) for entry, fields in entries]

    def _delivery(self, entry: bytes, fields: Sequence[bytes], earlier: int) -> Delivery:
        receipt = self._held[entry] = Receipt(entry)
        job = job_of(entry, fields, self._host.name, self._config.priority)
        return Delivery(job=job, receipt=receipt, queue=self._config.queue, earlier=earlier)

    async def _give_back_orphans(self, queue: RedisQueue) -> None:
        """Give back what Redis has sent to this consumer on a connection that broke before it arrived."""
        orphans = [entry for entry in await queue.run("mine", 10_000) if entry not in self._held]
        if orphans:
            await queue.run("release", *orphans)

    async def _keep(self, queue: RedisQueue) -> None:
        """Extend the time of the held jobs."""
        try:
            while True:
                held = list(self._held)
                gone = [entry for entry in await queue.run("touch", *held) if entry in self._held] if held else []
                for entry in gone:
                    self._held.pop(entry, None)
                if gone:
                    log.warning("jobs were taken over", pipeline=self._host.name, jobs=len(gone), error=_TAKEN)
                await asyncio.sleep(self._config.visibility_timeout / 3)
        except BrokerError as error:
            self._host.lost(str(error))

    async def _promote(self, queue: RedisQueue) -> None:
        """Move delayed jobs to the stream when they are due. Delays are a second at least, so none is seen late."""
        try:
            while True:
                wait_ms = await queue.run("promote", _MOST_PROMOTED)
                await asyncio.sleep(_EVERY if wait_ms < 0 else min(wait_ms / 1000, _EVERY))
        except BrokerError as error:
            self._host.lost(str(error))
