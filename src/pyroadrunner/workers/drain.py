"""The grace period of a pool that stops: it refuses new calls and waits for running ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pyroadrunner.log import Log
from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.worker import Worker

log = Log("server")


class Drain:
    """Waits for the calls, streams and leases of one pool.

    Args:
        pool: its name, for the log.
        members: its workers. The pool calls :meth:`check` when one of them has finished something.

    Attributes:
        waiting: whether :meth:`run` waits for workers.
    """

    __slots__ = ("_admission", "_drained", "_members", "_pool", "waiting")

    def __init__(self, pool: str, admission: Admission, members: Mapping[int, Worker]) -> None:
        self._pool = pool
        self._admission = admission
        self._members = members
        self.waiting = False
        self._drained: asyncio.Future[None] | None = None  # ``None`` until the calls have left

    def __repr__(self) -> str:
        return f"Drain({self._pool!r}, {'running' if self._drained is not None else 'idle'})"

    async def run(self, grace: float) -> None:
        """Refuse new calls, end the leases, wait up to ``grace`` seconds for what runs, log what still does then."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for worker in self._members.values():
            if worker.lease is not None:
                worker.lease.end("the pool is stopping")
        if not await self._admission.close(grace):
            calls = self._admission.load
            log.warning("grace period over; cancelling the remaining requests", pool=self._pool, requests=calls)
            return
        self._drained = loop.create_future()
        self.waiting = True
        self.check()
        await asyncio.wait([self._drained], timeout=until - loop.time())
        if not self._drained.done():
            streams = self._awaited()
            log.warning("grace period over; cancelling the remaining streams", pool=self._pool, streams=streams)

    def check(self) -> None:
        """End the wait if no caller waits for a worker. Cheap while the pool runs."""
        if self._drained is not None and not self._drained.done() and not self._awaited():
            self._drained.set_result(None)

    def _awaited(self) -> int:
        return sum(1 for worker in self._members.values() if worker.awaited)
