"""Runs the jobs of one pool: a free worker first, then the best job that waits, then its outcome.

A job is taken only when a worker is there to run it, so no job waits in vain for one, and a more urgent job that
arrives meanwhile goes first. One task waits for a worker while there are jobs. It keeps its worker as long as there is
work, and the next task begins to wait.
"""

from __future__ import annotations

import asyncio

from pyroadrunner.contracts import Lease, LeaseEnded, PoolClosed, PoolConfig, PoolError, PoolFactory, Reply, WorkerPool
from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.answer import Answer, BadAnswer, Kind, read_answer
from pyroadrunner.plugins.jobs.context import payload_of
from pyroadrunner.plugins.jobs.drivers.contract import Delivery
from pyroadrunner.plugins.jobs.job_queue import JobQueue, Lane
from pyroadrunner.plugins.jobs.outcome import Outcome, after_answer, after_failure
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.reasons import reason_of
from pyroadrunner.plugins.jobs.tracing import PushTracer

_MOST_REFUSALS = 5  # workers that may hand a job back before that is a failure

log = Log("jobs")


class Consumer:
    """The pool of one or more pipelines, and the jobs that wait for it.

    Attributes:
        queue: the waiting jobs.
        pool: ``None`` until a pipeline is consumed: a producer needs no workers.

    Args:
        limit: ``jobs.pipeline_size``.
    """

    def __init__(self, name: str, config: PoolConfig, factory: PoolFactory, limit: int, tracer: PushTracer) -> None:
        self.name = name
        self.queue = JobQueue(limit)
        self.pool: WorkerPool | None = None
        self._config = config
        self._factory = factory
        self._tracer = tracer
        self._pipelines: dict[Lane, JobPipeline] = {}
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._scout: asyncio.Task[None] | None = None  # waits for a free worker
        self._stopping = False
        self._abandoned = False  # the grace is over: what still runs goes back to its broker

    def __repr__(self) -> str:
        return f"Consumer({self.name!r}, {self.queue!r}, {len(self._tasks)} tasks)"

    def add(self, pipeline: JobPipeline) -> None:
        """Run the jobs of a pipeline whose lane is in the queue."""
        self._pipelines[pipeline.lane] = pipeline

    def remove(self, pipeline: JobPipeline) -> None:
        """Forget a closed pipeline."""
        del self._pipelines[pipeline.lane]

    async def start(self) -> None:
        """Start the workers. Idempotent.

        Raises:
            WorkerStartError
        """
        async with self._starting:
            if self.pool is None:
                self.pool = await self._factory.create_pool(self.name, self._config, {"RR_MODE": "jobs"})

    def reconfigure(self, config: PoolConfig) -> None:
        """Apply changed keys of the pool."""
        self._config = config
        if self.pool is not None:
            self.pool.reconfigure(config)

    def wake(self) -> None:
        """A job may be ready to run."""
        if self._scout is None and not self._stopping and self.queue.runnable:
            self._scout = task = asyncio.create_task(self._work(), name=f"jobs of {self.name}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self, grace: float) -> None:
        """Wait up to ``grace`` seconds for running jobs, then stop the workers. The waiting jobs were given back
        before."""
        self._stopping = True
        if self._scout is not None:
            self._scout.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._abandoned = True
        if self.pool is not None:
            await self.pool.destroy(0.0)
        if self._tasks:
            await asyncio.wait(self._tasks)

    # inside

    async def _work(self) -> None:
        assert self.pool is not None
        held: tuple[JobPipeline, Delivery] | None = None
        refusals = 0
        try:
            while not self._stopping and (held is not None or self.queue.runnable):
                async with self.pool.lease() as lease:
                    self._found_worker()
                    while not lease.ended.done():
                        if held is None:
                            held = await self._next()
                            if held is None:
                                return
                            refusals = 0
                        try:
                            await self._run(lease, *held)
                        except LeaseEnded as error:
                            refusals += 1
                            if refusals < _MOST_REFUSALS:
                                break
                            self._failed(*held, f"{refusals} workers in a row did not run the job: {error}")
                        held = None
        except PoolClosed:
            pass  # the server stops
        finally:
            if held is not None:
                pipeline, delivery = held
                pipeline.lane.done(delivery)
                pipeline.give_back(delivery)
            self._found_worker()

    def _found_worker(self) -> None:
        """The task that waited for a worker waits no more; if there are more jobs, another one does."""
        if self._scout is asyncio.current_task():
            self._scout = None
        self.wake()

    async def _next(self) -> tuple[JobPipeline, Delivery] | None:
        """The next job to run, acknowledged already if it is an ``auto_ack`` job."""
        while not self._stopping and (taken := self.queue.take()) is not None:
            lane, delivery = taken
            pipeline = self._pipelines[lane]
            if not delivery.job.auto_ack or await pipeline.acknowledge_first(delivery):
                return pipeline, delivery
            lane.done(delivery)
        return None

    async def _run(self, lease: Lease, pipeline: JobPipeline, delivery: Delivery) -> None:
        figures = pipeline.figures
        loop = asyncio.get_running_loop()
        began = loop.time()
        span = self._tracer.process(delivery, pipeline)
        error = ""
        try:
            reply = await lease.exec(
                payload_of(delivery, pipeline.settings.driver), describe=lambda: _described(delivery)
            )
            answer = self._read(reply)
        except LeaseEnded:
            raise
        except (PoolError, BadAnswer) as wrong:
            error = reason_of(wrong)
            self._failed(pipeline, delivery, error)
        else:
            error = answer.message if answer.kind in (Kind.ERROR, Kind.NACK) else ""
            figures.done += 1
            _log_answer(answer, delivery, loop.time() - began)
            self._settle(pipeline, delivery, after_answer(answer, delivery, pipeline.policy))
        finally:
            if span is not None:
                if error:
                    span.fail(error)
                span.end()
        figures.waits.add(began - delivery.received)
        figures.runs.add(loop.time() - began)

    def _read(self, reply: Reply) -> Answer:
        if reply.stream is not None:
            reply.stream.drop()
            raise BadAnswer("the worker streams its answer, which jobs do not support")
        return read_answer(reply.body)

    def _failed(self, pipeline: JobPipeline, delivery: Delivery, error: str) -> None:
        if self._abandoned:
            log.warning("job did not end before the stop and is given back", ID=delivery.job.id, pipeline=pipeline.name)
            pipeline.lane.done(delivery)
            pipeline.give_back(delivery)
            return
        pipeline.figures.failed += 1
        outcome = after_failure(error, delivery, pipeline.policy)
        log.error(
            "job processed with errors",
            error=error,
            ID=delivery.job.id,
            pipeline=pipeline.name,
            driver=pipeline.settings.driver,
            attempts=delivery.failed_attempts() + 1,
            then=type(outcome).__name__.lower(),
        )
        self._settle(pipeline, delivery, outcome)

    def _settle(self, pipeline: JobPipeline, delivery: Delivery, outcome: Outcome) -> None:
        pipeline.lane.done(delivery)
        pipeline.settle(delivery, outcome)
        self.wake()


def _described(delivery: Delivery) -> str:
    return f"job {delivery.job.name} {delivery.job.id} of {delivery.job.pipeline}"


def _log_answer(answer: Answer, delivery: Delivery, seconds: float) -> None:
    job = delivery.job
    if answer.kind in (Kind.DONE, Kind.ACK):
        log.debug("job was processed successfully", ID=job.id, pipeline=job.pipeline, elapsed=int(seconds * 1000))
    elif answer.kind is None:
        log.warning(
            "unknown response type, acknowledging the JOB", ID=job.id, pipeline=job.pipeline, type=answer.number
        )
    elif answer.kind is Kind.REQUEUE:
        log.info("job was requeued", ID=job.id, pipeline=job.pipeline, reason=answer.message, delay=answer.delay)
    else:
        log.error(
            "job failed",
            error=answer.message,
            ID=job.id,
            pipeline=job.pipeline,
            requeue=answer.again,
            delay=answer.delay,
        )
