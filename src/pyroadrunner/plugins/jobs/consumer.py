"""Runs the jobs of one pool: a free worker first, then the best job that waits, then its outcome.

A job is taken only when a worker is there to run it, so no job waits in vain for one, and a more urgent job that
arrives meanwhile goes first. One request for a worker waits while there are jobs. The worker is kept as long as there
is work (``job_runner.py``), and the next request begins to wait.
"""

from __future__ import annotations

import asyncio
import contextlib

from pyroadrunner.contracts import Lease, PoolClosed, PoolConfig, PoolFactory, WorkerPool
from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.job_queue import JobQueue, Lane
from pyroadrunner.plugins.jobs.job_runner import JobRunner, TakenJob
from pyroadrunner.plugins.jobs.pipeline import JobPipeline
from pyroadrunner.plugins.jobs.tracing import PushTracer

_PAUSE = 1.0  # seconds after a worker failed to start

log = Log("jobs")


class Consumer:
    """The pool of one or more pipelines, and the jobs that wait for it.

    Attributes:
        queue: the waiting jobs.
        pool: ``None`` until a pipeline is consumed: a producer needs no workers.
        abandoned: the grace of a stop is over: what still runs goes back to its broker.

    Args:
        limit: ``jobs.pipeline_size``.
    """

    def __init__(self, name: str, config: PoolConfig, factory: PoolFactory, limit: int, tracer: PushTracer) -> None:
        self.name = name
        self.queue = JobQueue(limit)
        self.pool: WorkerPool | None = None
        self.abandoned = False
        self._config = config
        self._factory = factory
        self._tracer = tracer
        self._pipelines: dict[Lane, JobPipeline] = {}
        self._starting = asyncio.Lock()
        self._handed_back: list[TakenJob] = []  # by workers that did not run them; they go first
        self._requesting = False  # whether a request for a worker waits
        self._runners: set[JobRunner] = set()
        self._stopping = False
        self._all_ended = asyncio.Event()  # set once it stops and no job runs

    def __repr__(self) -> str:
        return f"Consumer({self.name!r}, {self.queue!r}, {len(self._runners)} runners)"

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

    async def stop(self, grace: float) -> None:
        """Wait up to ``grace`` seconds for running jobs, then stop the workers. The waiting jobs were given back
        before."""
        self._stopping = True
        self._give_back()
        await self._end_of_runners(grace)
        self.abandoned = True
        if self.pool is not None:
            await self.pool.destroy(0.0)
        await self._end_of_runners(None)

    async def _end_of_runners(self, timeout: float | None) -> None:
        if self._runners:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._all_ended.wait()

    # JobSource

    def wake(self) -> None:
        """A job may be ready to run: request a worker, unless a request waits."""
        if self._requesting or self._stopping or not (self._handed_back or self.queue.runnable):
            return
        assert self.pool is not None
        self._requesting = True
        try:
            self.pool.request_lease(self)
        except PoolClosed:
            pass  # the server stops

    def take(self) -> TakenJob | None:
        """The next job to run; ``None`` if there is none, or the server stops."""
        if self._stopping:
            return None
        if self._handed_back:
            return self._handed_back.pop(0)
        taken = self.queue.take()
        return None if taken is None else TakenJob(self._pipelines[taken[0]], taken[1])

    def put_back(self, job: TakenJob) -> None:
        """The job has not run, and needs another worker."""
        self._handed_back.append(job)
        if self._stopping:
            self._give_back()
        self.wake()

    def ended(self, runner: JobRunner) -> None:
        """The runner has released its lease."""
        self._runners.discard(runner)
        if self._stopping and not self._runners:
            self._all_ended.set()

    def _give_back(self) -> None:
        """Give back the jobs that workers have handed back."""
        jobs, self._handed_back = self._handed_back, []
        for job in jobs:
            job.pipeline.lane.done(job.delivery)
            job.pipeline.give_back(job.delivery)

    # LeaseReceiver

    def on_lease(self, lease: Lease) -> None:
        """A worker is free."""
        self._requesting = False
        runner = JobRunner(lease, self, self._tracer)
        self._runners.add(runner)
        runner.run()
        self.wake()

    def on_error(self, error: Exception) -> None:
        """No worker comes."""
        self._requesting = False
        if not isinstance(error, PoolClosed):  # which means that the server stops
            log.error("no worker for the waiting jobs", pool=self.name, error=str(error))
            asyncio.get_running_loop().call_later(_PAUSE, self.wake)
