"""Each job is a file, named by the time from which on it may run. A rename takes it: atomic, also between servers."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerRefused,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
)
from rr_jobs_folder.config import FolderConfig

POLL = 0.1  # seconds between two looks for the jobs of other servers


class FolderDriver(Driver):
    """The folders ``waiting`` and ``held`` of one queue."""

    receipts_survive = True  # a held file stays where it is when the folder is away for a while

    def __init__(self, host: Host, config: FolderConfig, section: None = None) -> None:
        self._host = host
        self._config = config
        self._root = Path(config.path)
        self._waiting = self._root / config.queue / "waiting"
        self._held = self._root / config.queue / "held"
        self._mine: set[str] = set()  # files that this server holds
        self._listed: deque[str] = deque()  # names seen in the last listing, the oldest first
        self._feeder: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()

    # -- the connection ------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        if not self._root.is_dir():
            raise BrokerError(f"{self._root}: no such folder")
        if not os.access(self._root, os.W_OK):
            raise BrokerRefused(f"{self._root}: permission denied")
        with self._files():
            self._waiting.mkdir(parents=True, exist_ok=True)
            self._held.mkdir(exist_ok=True)
            for name in sorted(os.listdir(self._held)):  # of a server that was killed
                if name not in self._mine:
                    os.rename(self._held / name, self._waiting / name)

    async def disconnect(self) -> None:
        await self.cancel()
        self._listed.clear()

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Every use of the folder: an error is a lost connection."""
        try:
            yield
        except OSError as error:
            why = f"{self._root}: {error.strerror}"
            self._host.lost(why)
            raise BrokerError(why) from error

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def push(self, jobs: Sequence[Job]) -> None:
        with self._files():
            for job in jobs:
                self._write(job)
        self._arrived.set()

    def ack(self, delivery: Delivery) -> None:
        with self._files():
            os.unlink(self._held / delivery.receipt)
        self._mine.discard(delivery.receipt)

    def nack(self, delivery: Delivery) -> None:
        self.ack(delivery)

    def redeliver(self, delivery: Delivery, delay: int) -> None:
        self.push([delivery.failed_copy(delay)])
        self.ack(delivery)

    def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        self.push([delivery.job.copy(headers, delay)])
        self.ack(delivery)

    def release(self, delivery: Delivery) -> None:
        with self._files():
            os.rename(self._held / delivery.receipt, self._waiting / delivery.receipt)
        self._mine.discard(delivery.receipt)
        self._listed.clear()
        self._arrived.set()

    async def consume(self) -> None:
        self._feeder = asyncio.create_task(self._feed(), name=f"jobs {self._host.name}")

    async def cancel(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def take(self, limit: int) -> Sequence[Delivery]:
        with self._files():
            return self._take(limit)

    async def stat(self) -> BrokerStats:
        with self._files():
            names = os.listdir(self._waiting)
            held = len(os.listdir(self._held))
        delayed = sum(not _is_due(name) for name in names)
        return BrokerStats(
            queue=self._config.queue, active=len(names) - delayed + len(self._mine), delayed=delayed, reserved=held
        )

    # inside

    async def _feed(self) -> None:
        """Deliver as many jobs as the pipeline wants."""
        while True:
            room = await self._host.room(self._config.prefetch)
            self._arrived.clear()
            try:
                with self._files():
                    found = self._take(room)
            except BrokerError:
                return  # the pipeline connects again and consumes again
            for delivery in found:
                self._host.deliver(delivery)
            if not found:
                try:
                    async with asyncio.timeout(POLL):
                        await self._arrived.wait()
                except TimeoutError:
                    pass

    def _take(self, limit: int) -> list[Delivery]:
        found: list[Delivery] = []
        while len(found) < limit:
            if not self._listed:
                self._listed.extend(filter(_is_due, sorted(os.listdir(self._waiting))))
                if not self._listed:
                    break
            name = self._listed.popleft()
            try:
                os.rename(self._waiting / name, self._held / name)
            except FileNotFoundError:
                if not self._waiting.is_dir():
                    raise
                continue  # another server was faster
            job = msgspec.json.decode((self._held / name).read_bytes(), type=Job)
            found.append(Delivery(job=job, receipt=name, queue=self._config.queue))
        # Only now: after an error they are no one's, and the next connection puts them back.
        self._mine.update(delivery.receipt for delivery in found)
        return found

    def _write(self, job: Job) -> None:
        name = f"{time.time_ns() + job.delay * 10**9:020}-{uuid.uuid4()}"
        hidden = self._held.parent / name  # a reader must not see half of it
        hidden.write_bytes(msgspec.json.encode(job))
        os.rename(hidden, self._waiting / name)


def _is_due(name: str) -> bool:
    return int(name[:20]) <= time.time_ns()
