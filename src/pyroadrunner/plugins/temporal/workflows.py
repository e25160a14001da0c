"""The workflow runs of one task queue: an instance of each run that the engine keeps in its cache."""

from __future__ import annotations

from collections.abc import Callable

from temporalio.api.failure.v1 import Failure

from pyroadrunner.contracts import Log, TemporalCall
from pyroadrunner.plugins.temporal.core import InitializeWorkflow, RemoveFromCache, WorkflowActivation
from pyroadrunner.plugins.temporal.core import WorkflowActivationCompletion as Completion
from pyroadrunner.plugins.temporal.errors import TemporalError, WorkerLost
from pyroadrunner.plugins.temporal.failures import TaskFailed, application, engine_text
from pyroadrunner.plugins.temporal.instance import activate, destroy
from pyroadrunner.plugins.temporal.run import Rules, Run
from pyroadrunner.plugins.temporal.side_effects import missing_value
from pyroadrunner.plugins.temporal.workflow_worker import WorkflowWorker
from pyroadrunner.plugins.temporal.wrappers import Wrappers

log = Log("temporal")


class _Cached:
    """A run, and the generation of the process that has it in memory."""

    __slots__ = ("generation", "run")

    def __init__(self, run: Run, generation: int) -> None:
        self.run = run
        self.generation = generation


class Workflows:
    """The cached runs of a task queue.

    Args:
        wrappers: of each task.
        on_evicted: called with the run id and the reason when a run has left the cache (for replays).
    """

    def __init__(
        self,
        worker: WorkflowWorker,
        rules: Rules,
        wrappers: Wrappers,
        on_evicted: Callable[[str, RemoveFromCache], None] | None = None,
    ) -> None:
        self._worker = worker
        self._rules = rules
        self._wrappers = wrappers
        self._on_evicted = on_evicted
        self._cached: dict[str, _Cached] = {}
        self.stopping = False

    def __repr__(self) -> str:
        return f"Workflows({self._rules.task_queue!r}, {len(self._cached)} cached)"

    def __len__(self) -> int:
        return len(self._cached)

    def lost(self) -> list[str]:
        """The runs that the present process does not have."""
        now = self._worker.generation
        return [run_id for run_id, cached in self._cached.items() if cached.generation != now]

    async def handle(self, activation: WorkflowActivation) -> Completion:
        """The completion of an activation; never raises."""
        jobs = activation.jobs
        if jobs and jobs[0].HasField("remove_from_cache"):
            await self._evict(activation, jobs[0].remove_from_cache)
            completion = Completion(run_id=activation.run_id)
            completion.successful.SetInParent()
            return completion
        while True:
            cached = self._cached.get(activation.run_id)
            fresh = cached is None
            if cached is None:
                cached = _Cached(Run(activation.run_id, self._rules), self._worker.generation)
                self._cached[activation.run_id] = cached
            try:
                return await self._wrapped(cached, activation)
            except WorkerLost as lost:
                if fresh:  # the next process can start with this activation
                    del self._cached[activation.run_id]
                    continue
                return _failed(activation.run_id, application(str(lost), "WorkerLost"))
            except TaskFailed as failed:
                if missing_value(failed.failure) is None:
                    _report(cached.run, "workflow task failed", failed.failure.message)
                return _failed(activation.run_id, failed.failure)
            except TemporalError as wrong:
                _report(cached.run, "workflow task failed", str(wrong))
                return _failed(activation.run_id, application(str(wrong), type(wrong).__name__))
            except Exception as bug:  # a bug of ours: the task fails with it, and the others go on
                _report(cached.run, "workflow task failed", f"{type(bug).__name__}: {bug}")
                return _failed(activation.run_id, application(f"{type(bug).__name__}: {bug}", "InternalError"))

    async def _wrapped(self, cached: _Cached, activation: WorkflowActivation) -> Completion:
        """Handle an activation in the interceptors, and the first one of a run in a span, if there are any."""
        start = activation.jobs[0].initialize_workflow if activation.jobs else InitializeWorkflow()
        first = bool(start.workflow_type)
        if not self._wrappers or not (first or self._wrappers.intercept):
            return await self._activate(cached, activation)
        run, completion = cached.run, Completion()
        call = TemporalCall(
            kind="workflow task",
            type=start.workflow_type or run.workflow_type,
            task_queue=self._rules.task_queue,
            workflow_id=start.workflow_id or run.workflow_id,
            run_id=run.run_id,
            workflow_type=start.workflow_type or run.workflow_type,
            replaying=activation.is_replaying,
            header=dict(start.headers),
        )

        async def work(_: object) -> str:
            completion.CopyFrom(await self._activate(cached, activation))
            return completion.failed.failure.message

        await self._wrappers.run(call, work, traced=first and not activation.is_replaying)
        return completion

    async def _activate(self, cached: _Cached, activation: WorkflowActivation) -> Completion:
        run, generation = cached.run, cached.generation

        def describe() -> str:
            return f"{run.workflow_type} {run.workflow_id}"

        exchange = activate(run, activation)
        try:
            frame = next(exchange)
            while True:
                frame = exchange.send(await self._worker.exchange(frame, generation, describe))
        except StopIteration as end:
            completion: Completion = end.value
            return completion

    async def _evict(self, activation: WorkflowActivation, reason: RemoveFromCache) -> None:
        cached = self._cached.pop(activation.run_id, None)
        if cached is None:
            return
        run = cached.run
        kinds = RemoveFromCache.EvictionReason
        if reason.reason == kinds.NONDETERMINISM:
            _report(run, "workflow code is not deterministic", engine_text(reason.message))
        elif run.ended:
            self._rules.reevaluations.forget(run.run_id)
        if cached.generation == self._worker.generation and not self.stopping:
            run.activation = activation
            try:
                await self._worker.exchange(destroy(run), cached.generation, lambda: f"destroy {run.workflow_id}")
            except TemporalError as ignored:
                log.debug("a run was not destroyed", run_id=run.run_id, error=str(ignored))
        if self._on_evicted is not None:
            self._on_evicted(activation.run_id, reason)


def _failed(run_id: str, failure: Failure) -> Completion:
    completion = Completion(run_id=run_id)
    completion.failed.failure.CopyFrom(failure)
    return completion


def _report(run: Run, what: str, error: str) -> None:
    log.error(
        what,
        workflow=run.workflow_type,
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        task_queue=run.rules.task_queue,
        history_length=run.activation.history_length,
        error=error,
    )
