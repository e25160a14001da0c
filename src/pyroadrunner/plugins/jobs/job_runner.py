"""Runs jobs on one worker, one after another.

The next job goes to the worker in the callback that has read the answer to the one before: there is no task and no
future per job. Only a job that must be acknowledged before its run (``auto_ack``) needs a task for the wait.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

from pyroadrunner.contracts import Lease, LeaseEnded, Reply, Span
from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.answer import Answer, BadAnswer, Kind, read_answer
from pyroadrunner.plugins.jobs.context import payload_of
from pyroadrunner.plugins.jobs.drivers.contract import Delivery
from pyroadrunner.plugins.jobs.outcome import Outcome, after_answer, after_failure
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.reasons import reason_of
from pyroadrunner.plugins.jobs.tracing import PushTracer

_MOST_REFUSALS = 5  # workers that may hand a job back before that is a failure

log = Log("jobs")


@dataclass(slots=True)
class TakenJob:
    """A job on its way to a worker.

    Attributes:
        refusals: workers that have handed it back.
    """

    pipeline: JobPipeline
    delivery: Delivery
    refusals: int = 0


class JobSource(Protocol):
    """The consumer, as its runners see it.

    Attributes:
        abandoned: the grace of a stop is over: what still runs goes back to its broker.
    """

    abandoned: bool

    def take(self) -> TakenJob | None:
        """The next job to run; ``None`` if there is none, or no more may run."""

    def put_back(self, job: TakenJob) -> None:
        """The job has not run, and needs another worker."""

    def wake(self) -> None:
        """A job may be ready to run."""

    def ended(self, runner: JobRunner) -> None:
        """The runner has released its lease."""


class JobRunner:
    """The jobs of one lease; a receiver of its answers."""

    def __init__(self, lease: Lease, source: JobSource, tracer: PushTracer) -> None:
        self._lease = lease
        self._source = source
        self._tracer = tracer
        self._loop = asyncio.get_running_loop()
        self._job: TakenJob | None = None
        self._acknowledging: asyncio.Task[None] | None = None
        self._span: Span | None = None
        self._began = 0.0

    def __repr__(self) -> str:
        return f"JobRunner({self._lease!r}, {self.describe() or 'no job'})"

    def run(self) -> None:
        """Run the next job, or release the lease if there is none or the worker takes no more."""
        self._job = job = self._source.take() if self._lease.ready else None
        if job is None:
            self._release()
        elif job.delivery.job.auto_ack and not job.delivery.acknowledged:
            self._acknowledging = self._loop.create_task(self._acknowledge(job))
        else:
            self._begin(job)

    async def _acknowledge(self, job: TakenJob) -> None:
        if await job.pipeline.acknowledge_first(job.delivery):
            self._begin(job)
        else:
            job.pipeline.lane.done(job.delivery)
            self.run()

    def _begin(self, job: TakenJob) -> None:
        self._began = self._loop.time()
        self._span = self._tracer.process(job.delivery, job.pipeline)
        try:
            self._lease.submit(payload_of(job.delivery, job.pipeline.settings.driver), self)
        except LeaseEnded as error:
            self._refused(job, error)
        except Exception as error:  # of any kind, such as text that is not Unicode: the worker gets the next job
            self._failed(job, f"the job can't be sent to a worker: {error!r}")
            self._loop.call_soon(self.run)

    def _refused(self, job: TakenJob, error: LeaseEnded) -> None:
        """The worker has not run the job."""
        self._end_span("")
        self._job = None
        job.refusals += 1
        if job.refusals < _MOST_REFUSALS:
            self._source.put_back(job)
        else:
            self._fail(job, f"{job.refusals} workers in a row did not run the job: {error}")
        self._loop.call_soon(self._release)  # the worker is in the middle of its end

    def _release(self) -> None:
        self._lease.release()
        self._source.ended(self)

    # Receiver

    def on_reply(self, reply: Reply) -> None:
        job = self._job
        assert job is not None
        try:
            answer = _read(reply)
        except BadAnswer as error:
            self._failed(job, str(error))
            self.run()
            return
        now = self._loop.time()
        if self._span is not None:
            self._end_span(answer.message if answer.kind in (Kind.ERROR, Kind.NACK) else "")
        pipeline, delivery = job.pipeline, job.delivery
        figures = pipeline.figures
        figures.done += 1
        figures.waits.add(self._began - delivery.received)
        figures.runs.add(now - self._began)
        _log_answer(answer, delivery, now - self._began)
        outcome = after_answer(answer, delivery, pipeline.policy)
        if pipeline.failures is not None and answer.kind in (Kind.ERROR, Kind.NACK):
            pipeline.failures.add(delivery, pipeline.name, answer.message, outcome, time.time())
        self._settle(job, outcome)
        self.run()

    def on_error(self, error: Exception) -> None:
        job = self._job
        assert job is not None
        if isinstance(error, LeaseEnded):
            self._refused(job, error)
            return
        self._failed(job, reason_of(error))
        self._job = None
        self._loop.call_soon(self.run)  # a worker that has failed is in the middle of its end

    def describe(self) -> str:
        if self._job is None:
            return ""
        job = self._job.delivery.job
        return f"job {job.name} {job.id} of {job.pipeline}"

    # the end of a job

    def _failed(self, job: TakenJob, error: str) -> None:
        self._end_span(error)
        figures = job.pipeline.figures
        figures.waits.add(self._began - job.delivery.received)
        figures.runs.add(self._loop.time() - self._began)
        self._fail(job, error)

    def _fail(self, job: TakenJob, error: str) -> None:
        pipeline, delivery = job.pipeline, job.delivery
        if self._source.abandoned:
            log.warning("job did not end before the stop and is given back", ID=delivery.job.id, pipeline=pipeline.name)
            pipeline.lane.done(delivery)
            pipeline.give_back(delivery)
            return
        pipeline.figures.failed += 1
        outcome = after_failure(error, delivery, pipeline.policy)
        if pipeline.failures is not None:
            pipeline.failures.add(delivery, pipeline.name, error, outcome, time.time())
        log.error(
            "job processed with errors",
            error=error,
            ID=delivery.job.id,
            pipeline=pipeline.name,
            driver=pipeline.settings.driver,
            attempts=delivery.failed_attempts() + 1,
            then=type(outcome).__name__.lower(),
        )
        self._settle(job, outcome)

    def _settle(self, job: TakenJob, outcome: Outcome) -> None:
        job.pipeline.lane.done(job.delivery)
        job.pipeline.settle(job.delivery, outcome)
        self._source.wake()

    def _end_span(self, error: str) -> None:
        span, self._span = self._span, None
        if span is not None:
            if error:
                span.fail(error)
            span.end()


def _read(reply: Reply) -> Answer:
    if reply.stream is not None:
        reply.stream.drop()
        raise BadAnswer("the worker streams its answer, which jobs do not support")
    return read_answer(reply.body)


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
