"""A pipeline on a table of jobs, whatever the database.

Theory of operation. The feeder claims rows while the pipeline has room, and delivers them. It wakes when this server
inserts rows, when the database reports rows of others, when a delay is over, and otherwise once a second. What the
driver holds is known by its receipts: a receipt lives as long as its delivery, so a row that is held in the database
but has no receipt here belongs to nothing, and ``tend`` returns it. That covers claims whose reply was lost, and
deliveries that the pipeline gave up while the database was away. Receipts survive a lost connection: the holder stays
the same, so a job that ends after the reconnection is settled as usual.
"""

from __future__ import annotations

import asyncio
import secrets
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any
from weakref import WeakValueDictionary

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
)
from pyroadrunner.plugins.jobs.drivers.sql.shared import SharedStores
from pyroadrunner.plugins.jobs.drivers.sql.store import Row, Store, Watcher, job_of, new_row

POLL = 1.0  # seconds between two looks at an idle queue
_LEAVE_TIMEOUT = 3.0

log = Log("jobs")


class Receipt:
    """A row that this driver holds."""

    __slots__ = ("__weakref__", "id")

    def __init__(self, id_: int) -> None:
        self.id = id_


class TableDriver(Driver, Watcher):
    """Jobs in a table.

    Args:
        queue: shared by all pipelines, here and on other servers, that name it.
        shown: name of the queue for workers and in figures.
    """

    receipts_survive = True
    stores = SharedStores()

    def __init__(self, host: Host, queue: str, prefetch: int, shown: str = "") -> None:
        self.queue = queue
        self.spare = 0
        self._host = host
        self._prefetch = prefetch
        self._enough = prefetch - prefetch // 4  # claims are for some rows at once, unless the queue is empty
        self._shown = shown or queue
        self._holder = secrets.randbits(62)
        self._store: Store | None = None
        self._held: WeakValueDictionary[int, Receipt] = WeakValueDictionary()
        self._done: set[int] = set()  # rows that may not be deleted yet, although their jobs are done
        self._feeder: asyncio.Task[None] | None = None
        self._tender: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._claiming = asyncio.Lock()  # held until the receipts of claimed rows exist
        self._releasing: set[asyncio.Future[None]] = set()
        self._promote_at = 0.0
        self._trouble = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.queue!r}, {len(self._held)} held)"

    @abstractmethod
    async def _acquire(self) -> Store:
        """The open store, shared with other pipelines."""

    # -- for the store -------------------------------------------------------------------------------------------------

    def arrived(self) -> None:
        self._arrived.set()

    def broke(self, why: str) -> None:
        self._host.lost(why)

    # -- the contract --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        store = self._store = await self._acquire()
        store.watchers.add(self)
        await store.enter(self._holder)
        await self._tend_once(store)
        self._tender = self._started(self._tend(store))

    async def disconnect(self) -> None:
        store, self._store = self._store, None
        tender, self._tender = self._tender, None
        if tender is not None:
            tender.cancel()
            await asyncio.wait([tender])
        await self.cancel()
        if store is None:
            return
        store.watchers.discard(self)
        if not store.broken:
            try:
                async with asyncio.timeout(_LEAVE_TIMEOUT):
                    if self._done:
                        await store.delete(list(self._done))
                    await store.leave(self._holder)
            except (BrokerError, TimeoutError) as error:  # the others see that it has died
                log.warning("held jobs could not be released", pipeline=self._host.name, error=str(error))
        await self.stores.release(store)

    async def push(self, jobs: Sequence[Job]) -> None:
        rows = [new_row(self.queue, job) for job in jobs]
        await self._opened().insert(rows)
        self._note_delays(jobs)

    async def consume(self) -> None:
        self._feeder = self._started(self._feed(self._opened()))

    async def cancel(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])
        self._trouble = ""

    async def ack(self, delivery: Delivery) -> None:
        id_ = delivery.receipt.id
        self._done.add(id_)
        await self._opened().delete([id_])
        self._done.discard(id_)

    async def nack(self, delivery: Delivery) -> None:
        await self.ack(delivery)

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        await self._replace(delivery, delivery.failed_copy(delay))

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self._replace(delivery, delivery.job.copy(headers, delay))

    async def release(self, delivery: Delivery) -> None:
        await self._opened().release(delivery.receipt.id, self._holder)
        self._arrived.set()

    async def take(self, limit: int) -> Sequence[Delivery]:
        return await self._claim(self._opened(), limit, delayed=True)

    async def stat(self) -> BrokerStats:
        if self._trouble:
            raise BrokerError(self._trouble)
        counts = await self._opened().counts(self.queue)
        return BrokerStats(queue=self._shown, active=counts.waiting, delayed=counts.delayed, reserved=counts.held)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _started(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task; if it ends with an error, which can only be a bug, the pipeline connects again."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._host.lost(f"{type(error).__name__}: {error}")

        task = asyncio.create_task(work, name=f"jobs {self._host.name}")
        task.add_done_callback(ended)
        return task

    def _opened(self) -> Store:
        if self._store is None:
            raise BrokerError("the database is not open")
        return self._store

    async def _replace(self, delivery: Delivery, job: Job) -> None:
        await self._opened().replace(delivery.receipt.id, self._holder, new_row(self.queue, job))
        self._note_delays([job])

    def _note_delays(self, jobs: Sequence[Job]) -> None:
        """Wake the feeder when the delay of the first of these jobs is over, if not before."""
        delays = [job.delay for job in jobs if job.delay > 0]
        if delays:
            due = asyncio.get_running_loop().time() + min(delays)
            if due < self._promote_at:
                self._promote_at = due
                self._arrived.set()

    async def _feed(self, store: Store) -> None:
        """Deliver as long as the pipeline has room."""
        loop = asyncio.get_running_loop()
        while True:
            await self._host.room(self._enough)
            welcome = await self._host.room(self._prefetch)
            self._arrived.clear()
            try:
                if loop.time() >= self._promote_at:
                    self._promote_at = loop.time() + POLL
                    left = await store.promote(self.queue)
                    if left is not None:
                        self._promote_at = min(self._promote_at, loop.time() + left)
                deliveries = await self._claim(store, welcome)
            except BrokerError as error:  # a full disk, for example; if the connection is lost, the pipeline ends this
                self._in_trouble(str(error))
                await asyncio.sleep(POLL)
                continue
            self._trouble = ""
            for delivery in deliveries:
                self._host.deliver(delivery)
            if len(deliveries) < welcome:
                self.spare = welcome - len(deliveries)
                try:
                    await self._wait_for_rows(loop)
                finally:
                    self.spare = 0

    async def _wait_for_rows(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._arrived.is_set():
            waiter = loop.call_at(self._promote_at, self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                waiter.cancel()

    async def _claim(self, store: Store, limit: int, *, delayed: bool = False) -> list[Delivery]:
        """Claim rows. If the caller is cancelled meanwhile, they are released."""
        claiming = asyncio.ensure_future(self._claimed(store, limit, delayed))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            claiming.add_done_callback(self._give_back)
            raise

    async def _claimed(self, store: Store, limit: int, delayed: bool) -> list[Delivery]:
        async with self._claiming:
            rows = await store.claim(self.queue, self._holder, limit, delayed=delayed)
            return [self._hold(row) for row in rows]

    def _hold(self, row: Row) -> Delivery:
        receipt = self._held[row.id] = Receipt(row.id)
        return Delivery(job=job_of(row, self._host.name), receipt=receipt, queue=self._shown)

    def _give_back(self, claiming: asyncio.Future[list[Delivery]]) -> None:
        """Without receipts the rows are returned by the next `tend`; do it now."""
        if claiming.cancelled() or claiming.exception() is not None or not claiming.result():
            return
        store = self._store
        if store is not None and not store.broken:
            task = asyncio.ensure_future(self._release_all(store, claiming.result()))
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)

    async def _release_all(self, store: Store, deliveries: Sequence[Delivery]) -> None:
        try:
            for delivery in deliveries:
                await store.release(delivery.receipt.id, self._holder)
        except BrokerError as error:
            log.warning("jobs could not be released", pipeline=self._host.name, error=str(error))

    async def _tend(self, store: Store) -> None:
        while True:
            await asyncio.sleep(store.pulse)
            try:
                await self._tend_once(store)
            except BrokerError as error:
                self._in_trouble(str(error))
            else:
                if self._feeder is None:
                    self._trouble = ""

    async def _tend_once(self, store: Store) -> None:
        async with self._claiming:
            if done := list(self._done):
                await store.delete(done)
                self._done.difference_update(done)
            returned = await store.tend(self.queue, self._holder, list(self._held))
        if returned:
            log.info("jobs of ended or broken consumers wait again", pipeline=self._host.name, jobs=returned)
            self._arrived.set()

    def _in_trouble(self, why: str) -> None:
        if why != self._trouble and self._store is not None and not self._store.broken:
            log.error("jobs can't be received from the database; retrying", pipeline=self._host.name, error=why)
        self._trouble = why
