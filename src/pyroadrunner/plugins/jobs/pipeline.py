"""One pipeline: its driver, its connection, its waiting jobs, its figures.

It counts the deliveries that are not settled yet: they bound what the driver fetches, and a stop waits for them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyroadrunner.contracts import PipelineState
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.connection import Connection, State
from pyroadrunner.plugins.jobs.dead_letters import buried, timestamp
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerStats,
    Delivery,
    Done,
    Driver,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.plugins.jobs.errors import AlreadyRunning, JobsError, NoAnswer, NotRunning
from pyroadrunner.plugins.jobs.failures import Failures
from pyroadrunner.plugins.jobs.figures import PipelineFigures
from pyroadrunner.plugins.jobs.job_queue import JobQueue
from pyroadrunner.plugins.jobs.outcome import Ack, Bury, Nack, Outcome, Policy, Redeliver, Requeue

log = Log("jobs")

_GONE = "its connection was lost"
_MOST_TRIES = 5  # to settle a delivery on a connection that works
_PAUSE = 0.5  # seconds between them


@dataclass(frozen=True, slots=True)
class Release:
    """What becomes of a job that was not run."""


RELEASE = Release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a pipeline that do not depend on its driver.

    Attributes:
        priority: of jobs without one.
        concurrency: see ``config.Pipeline``.
        policy: what becomes of failed jobs.
        timeout: ``jobs.timeout``.
    """

    name: str
    driver: str
    priority: int
    timeout: float
    concurrency: int = 0
    policy: Policy = field(default_factory=Policy)


class JobPipeline(Host):
    """A named queue.

    Attributes:
        consumes: whether its jobs are wanted: not paused.
        figures: counters.
        failures: keeps its failed runs; ``None`` = nothing does.
        policy: what becomes of failed jobs.

    Args:
        make: makes the driver for its host.
        queue: of the pool that runs its jobs.
        wake: called when a job waits for a worker.
        bury: pushes a job to the dead letter pipeline.
    """

    def __init__(
        self,
        settings: Settings,
        make: Callable[[Host], Driver],
        queue: JobQueue,
        wake: Callable[[], None],
        bury: Callable[[Job], Awaitable[None]],
    ) -> None:
        self.settings = settings
        self.consumes = False
        self.figures = PipelineFigures()
        self.failures: Failures | None = None
        self.lane = queue.open_lane(settings.concurrency)
        self._queue = queue
        self._wake = wake
        self._bury = bury
        self._loop = asyncio.get_running_loop()
        self._unsettled = 0
        self._all_settled = asyncio.Event()
        self._all_settled.set()
        self._room = asyncio.Event()
        self._settling: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()  # one change of `consumes` at a time
        self._listening = False
        self.driver = make(self)
        self.policy = replace(settings.policy, broker_buries=self.driver.dead_letters)
        self.connection = Connection(settings.name, self.driver, self._on_connected)

    def __repr__(self) -> str:
        return f"JobPipeline({self.name!r}, {self.settings.driver}, {self.state}, {self._unsettled} unsettled)"

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def timeout(self) -> float:
        return self.settings.timeout

    @property
    def unsettled(self) -> int:
        """Deliveries that wait, run, or are being settled."""
        return self._unsettled

    @property
    def ready(self) -> bool:
        """Whether jobs are being received."""
        return self._listening and self.connection.connected

    @property
    def state(self) -> str:
        """``connecting``, ``ready``, ``paused``, ``failed``."""
        state = self.connection.state
        if state is State.CONNECTED:
            return "ready" if self.consumes else "paused"
        named: str = state.value
        return named

    # -- for the driver ------------------------------------------------------------------------------------------------

    def deliver(self, delivery: Delivery) -> None:
        delivery.received = self._loop.time()
        delivery.epoch = self.connection.epoch
        self._unsettled += 1
        self._all_settled.clear()
        self._queue.add(self.lane, delivery)
        self._wake()

    async def room(self, prefetch: int) -> int:
        while True:
            self._room.clear()
            free = prefetch - self._unsettled
            if free > 0 and (welcome := self._queue.room(self._room.set)) > 0:
                return min(free, welcome)
            await self._room.wait()

    def lost(self, why: str) -> None:
        self._listening = False
        self.connection.lost(why)

    async def _on_connected(self) -> None:
        async with self._lock:
            self._listening = False
            if self.consumes:
                await self.driver.consume()
                self._listening = True

    # -- pushing -------------------------------------------------------------------------------------------------------

    def push(self, jobs: Sequence[Job]) -> Done:
        """Push jobs, in order; without a connection, wait for one.

        Raises:
            NotConnected: there was no connection in time, or the broker refuses the settings.
            PushRefused, BrokerError, NoAnswer, PipelineClosed: some may have been pushed.
        """
        if not self.connection.connected:
            return self._push(jobs, None)
        pending = self.driver.push(jobs)
        return None if pending is None else self._push(jobs, pending)

    async def _push(self, jobs: Sequence[Job], pending: Done) -> None:
        """Push until ``timeout`` is over. If the connection breaks in the middle, push all jobs again on the next one:
        the broker may then have some of them twice, but none is lost."""
        began = self._loop.time()
        until = began + self.timeout
        while True:
            try:
                async with asyncio.timeout_at(until):
                    if pending is None:
                        if self.connection.state is State.FAILED:
                            raise self.connection.not_connected(self._loop.time() - began)
                        await self.connection.wait()
                        pending = self.driver.push(jobs)
                    if pending is not None:
                        await pending
                return
            except TimeoutError:
                connected = self.connection.connected
                error = NoAnswer(self.name, self.timeout) if connected else self.connection.not_connected(self.timeout)
                raise error from None
            except BrokerError:
                if self.connection.connected:
                    raise
                pending = None

    # -- the end of a delivery -----------------------------------------------------------------------------------------

    async def acknowledge_first(self, delivery: Delivery) -> bool:
        """Acknowledge an ``auto_ack`` job before it runs. False if that failed: then it must not run, since the broker
        delivers it again."""
        try:
            async with asyncio.timeout(self.timeout):
                if not self._fresh(delivery):
                    raise BrokerError(_GONE)
                pending = self.driver.ack(delivery)
                if pending is not None:
                    await pending
        except Exception as error:  # of the broker, or a bug of the driver
            self._report(delivery, error)
            self._count_settled()
            return False
        delivery.acknowledged = True
        return True

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Apply the outcome of a job that has run. Returns at once; the broker is awaited in the background."""
        self._count(outcome)
        self._settle(delivery, outcome)

    def give_back(self, delivery: Delivery) -> None:
        """Release a delivery that was not run."""
        if delivery.acknowledged:
            log.warning("job was acknowledged before its run and is lost", pipeline=self.name, id=delivery.job.id)
            self._count_settled()
        else:
            self._settle(delivery, RELEASE)

    async def settled(self) -> None:
        """Wait until all deliveries are settled."""
        await self._all_settled.wait()

    def _fresh(self, delivery: Delivery) -> bool:
        """Whether the connection that brought a delivery is still there."""
        return self.connection.connected and delivery.epoch == self.connection.epoch

    def _apply(self, delivery: Delivery, outcome: Outcome | Release) -> Done:
        driver, acked = self.driver, delivery.acknowledged
        match outcome:
            case Requeue(headers, delay):
                copy = delivery.job.copy(headers, delay)
                return driver.push([copy]) if acked else driver.requeue(delivery, headers, delay)
            case Redeliver(delay):
                delivery.failed_at = timestamp(time.time())
                if acked:
                    return None
                return driver.redeliver(delivery, delay)
            case Nack():
                return None if acked else driver.nack(delivery)
            case Release():
                return driver.release(delivery)
            case _:
                return None if acked else driver.ack(delivery)

    def _settle(self, delivery: Delivery, outcome: Outcome | Release) -> None:
        pending: Done = None
        if self._fresh(delivery) and not isinstance(outcome, Bury):
            try:
                pending = self._apply(delivery, outcome)
            except (BrokerError, PushRefused):
                pass  # tried again below, in the background
            except Exception as bug:  # of the driver; the worker goes on with the next job
                self._report(delivery, bug)
                self._count_settled()
                return
            else:
                if pending is None:
                    self._count_settled()
                    return
        self._in_background(self._finish(delivery, outcome, pending))

    async def _finish(self, delivery: Delivery, outcome: Outcome | Release, pending: Done) -> None:
        """Settle a delivery whose driver, or whose dead letter pipeline, has to wait for a broker."""
        try:
            if isinstance(outcome, Bury) and (self._survives(delivery) or self._fresh(delivery)):
                outcome = await self._buried(delivery, outcome)
            await self._try(delivery, outcome, pending)
        except PushRefused as error:  # a copy with headers or a delay that the broker does not take
            self._report(delivery, error)
            if isinstance(outcome, Requeue) and not delivery.acknowledged:
                self._unsettled += 1
                self._settle(delivery, Redeliver(self.policy.backoff(delivery.failed_attempts() + 1)))
        except (BrokerError, JobsError, TimeoutError) as error:
            self._report(delivery, error)
            if isinstance(outcome, Requeue | Redeliver) and not delivery.acknowledged:
                self._unsettled += 1
                self._settle(delivery, RELEASE)
        except Exception as bug:  # of the driver; the delivery stays with the broker
            self._report(delivery, bug)
        finally:
            self._count_settled()

    async def _try(self, delivery: Delivery, outcome: Outcome | Release, pending: Done) -> None:
        """Apply an outcome. If the delivery survives its connection, wait for the next one as long as it takes: the
        driver keeps the job from running elsewhere meanwhile."""
        tries = 0
        while True:
            try:
                if pending is None:
                    if self._survives(delivery):
                        await self.connection.wait()
                    elif not self._fresh(delivery):
                        raise BrokerError(_GONE)
                    pending = self._apply(delivery, outcome)
                if pending is not None:
                    async with asyncio.timeout(self.timeout):
                        await pending
                return
            except (BrokerError, TimeoutError):
                pending = None
                tries += self.connection.connected
                if not self._survives(delivery) or tries >= _MOST_TRIES:
                    raise
                await asyncio.sleep(_PAUSE)

    def _survives(self, delivery: Delivery) -> bool:
        """Whether a delivery, or what is left to do for it, does not depend on its connection."""
        return self.driver.receipts_survive or delivery.acknowledged

    async def _buried(self, delivery: Delivery, outcome: Bury) -> Outcome:
        """Push to the dead letter pipeline; what then becomes of the original."""
        job = delivery.job
        try:
            await self._bury(buried(delivery, self.name, outcome, time.time()))
        except (BrokerError, PushRefused, JobsError) as error:
            log.error("job can't be moved to the dead letter pipeline", pipeline=self.name, id=job.id, error=str(error))
            return Redeliver(self.policy.backoff(delivery.failed_attempts() + 1))
        log.warning(
            "job was moved to the dead letter pipeline",
            pipeline=self.name,
            id=job.id,
            job=job.name,
            reason=outcome.reason,
            error=outcome.error,
        )
        return Ack()

    def _report(self, delivery: Delivery, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            why = f"no answer within {self.timeout:g} s"
        else:
            why = str(error) if isinstance(error, RoadRunnerError) else repr(error)
        log.error(
            "job could not be settled; its broker may deliver it again",
            pipeline=self.name,
            id=delivery.job.id,
            error=why,
        )

    def _count(self, outcome: Outcome) -> None:
        figures = self.figures
        match outcome:
            case Requeue():
                figures.requeued += 1
            case Redeliver():
                figures.retried += 1
            case Nack():
                figures.dropped += 1
            case Bury():
                figures.buried += 1

    def _count_settled(self) -> None:
        self._unsettled -= 1
        self._room.set()
        if not self._unsettled:
            self._all_settled.set()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"jobs {self.name}")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    # -- control -------------------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """Receive no more jobs; those that are here already still run.

        Raises:
            NotRunning: it is paused.
        """
        async with self._lock:
            if not self.consumes:
                raise NotRunning
            self.consumes = False
            await self._cancel()

    async def resume(self) -> None:
        """Receive jobs: now, or as soon as there is a connection. Nothing new while it connects already: clients that
        see a pipeline which is not ready resume it before they push.

        Raises:
            AlreadyRunning: it receives jobs.
            BrokerError, NoAnswer: the broker refused.
        """
        async with self._lock:
            if self.consumes and self.connection.connected:
                raise AlreadyRunning(self.settings.driver)
            if self.connection.connected:
                try:
                    async with asyncio.timeout(self.timeout):
                        await self.driver.consume()
                except TimeoutError:
                    raise NoAnswer(self.name, self.timeout) from None
                self._listening = True
            self.consumes = True

    async def close_intake(self) -> None:
        """Receive no more jobs, and give back those that wait for a worker. Running ones may still be settled."""
        async with self._lock:
            self.consumes = False
            await self._cancel()
        for delivery in reversed(self.lane.drain()):
            self.give_back(delivery)
        self._queue.check_room()

    async def close(self) -> None:
        """Close the connection. What is not settled by now, the broker delivers again."""
        for task in list(self._settling):
            task.cancel()
        if self._settling:
            await asyncio.wait(self._settling)
        await self.connection.stop()
        self._queue.close_lane(self.lane)

    async def look(self) -> PipelineState:
        """Its state, with the broker's figures if the broker answers."""
        error, stats = self.connection.error, BrokerStats()
        if self.connection.connected:
            try:
                async with asyncio.timeout(self.timeout):
                    stats = await self.driver.stat()
                error = stats.error or error
            except BrokerError as wrong:
                error = str(wrong)
            except TimeoutError:
                error = str(NoAnswer(self.name, self.timeout))
        return PipelineState(
            pipeline=self.name,
            driver=self.settings.driver,
            queue=stats.queue,
            active=stats.active,
            delayed=stats.delayed,
            reserved=stats.reserved,
            ready=self.ready,
            priority=self.settings.priority,
            state=self.state,
            error_message=error,
            running=self.lane.running,
            done=self.figures.done,
            failed=self.figures.failed,
        )

    async def _cancel(self) -> None:
        self._listening = False
        if not self.connection.connected:
            return
        try:
            async with asyncio.timeout(self.timeout):
                await self.driver.cancel()
        except (BrokerError, TimeoutError) as error:
            # Without its connection the broker sends nothing, either.
            self.lost(str(error) or str(NoAnswer(self.name, self.timeout)))
