"""Takes files of the folder: one for each worker that is free, so that no file waits in a server that is busy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from pyroadrunner.contracts import Lease, LeaseEnded, Log, Payload, PoolClosed, PoolError, Reply, WorkerPool
from rr_plugin_spool.config import SpoolConfig


class Consumer:
    """Runs until :meth:`stop`.

    Attributes:
        config: may be replaced at any time.
        results: files by how they ended.
    """

    def __init__(self, pool: WorkerPool, folder: Path, config: SpoolConfig, log: Log) -> None:
        self.config = config
        self.results = {"done": 0, "failed": 0}
        self._pool = pool
        self._folder = folder
        self._log = log
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.config.consumers):
                tasks.create_task(self._consume())

    def stop(self) -> None:
        self._stopped.set()

    async def _consume(self) -> None:
        while not self._stopped.is_set():
            if not self._waiting():
                await self._pause()
                continue
            try:
                async with self._pool.lease(priority=1) as lease:  # calls of spool.Run have priority 0: they go first
                    await self._process_next(lease)
            except PoolClosed:
                return

    async def _process_next(self, lease: Lease) -> None:
        file = self._take()
        if file is None:
            return
        payload = Payload(json.dumps({"file": file.stem}).encode(), file.read_bytes())
        try:
            reply = await lease.exec(payload, timeout=self.config.timeout, describe=lambda: f"file {file.stem}")
            text = await read_reply(reply)
        except LeaseEnded:  # no worker has seen the file: put it back
            file.rename(file.with_suffix(".txt"))
        except PoolError as error:
            file.rename(file.with_suffix(".failed"))
            self.results["failed"] += 1
            self._log.error("file failed", file=file.stem, error=str(error))
        else:
            file.with_suffix(".out").write_bytes(text)
            file.unlink()
            self.results["done"] += 1

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.txt"))

    def _take(self) -> Path | None:
        """Rename the first file; only one server, and one consumer of it, succeeds."""
        for file in self._waiting():
            try:
                return file.rename(file.with_suffix(".taken"))
            except FileNotFoundError:  # another one was faster
                continue
        return None

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), self.config.interval)
        except TimeoutError:
            pass


async def read_reply(reply: Reply) -> bytes:
    """The whole answer, also of a worker that streams it."""
    if reply.stream is None:
        return reply.body
    parts = [reply.body]
    try:
        async for chunk in reply.stream:
            parts.append(chunk.body)
    finally:
        await reply.stream.abort()  # does nothing once the stream has been read to its end
    return b"".join(parts)
