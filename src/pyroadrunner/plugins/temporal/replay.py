"""Replays of histories, to check whether changed code still fits: the workflow worker runs them beside live ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.api.history.v1 import History, HistoryEvent

from pyroadrunner.contracts import Log
from pyroadrunner.plugins.temporal.core import CoreWorker, PollShutdownError, RemoveFromCache, Runtime
from pyroadrunner.plugins.temporal.failures import engine_text
from pyroadrunner.plugins.temporal.interceptors import Interceptors
from pyroadrunner.plugins.temporal.run import Rules
from pyroadrunner.plugins.temporal.settings import WorkerSettings
from pyroadrunner.plugins.temporal.tracing import Tracer
from pyroadrunner.plugins.temporal.workflow_worker import WorkflowWorker
from pyroadrunner.plugins.temporal.workflows import Workflows
from pyroadrunner.plugins.temporal.wrappers import Wrappers

log = Log("temporal")

_FINALIZE = 5.0  # seconds
_REASONS = RemoveFromCache.EvictionReason
_HARMLESS = (_REASONS.CACHE_FULL, _REASONS.LANG_REQUESTED, 10)  # 10: the run has ended, in newer engines


async def replay(runtime: Runtime, rules: Rules, worker: WorkflowWorker, history: History) -> str:
    """Replay a history.

    Returns:
        why it does not fit the code; empty if it does.
    """
    settings = WorkerSettings(
        namespace=rules.namespace,
        task_queue=rules.task_queue,
        identity="replay",
        cached_runs=2,
        activities=False,
        local_activities=False,
        workflow_slots=2,
    )
    engine, feed = CoreWorker.for_replay(runtime, settings)
    found: list[str] = []
    workflow_id = _workflow_id(history)

    def on_evicted(_run_id: str, job: RemoveFromCache) -> None:
        if job.reason not in _HARMLESS:
            found.append(engine_text(job.message))

    workflows = Workflows(worker, rules, Wrappers(Tracer(), Interceptors()), on_evicted)
    try:
        await feed.push(workflow_id, history.SerializeToString())
        feed.close()
        while True:
            try:
                activation = await engine.poll_workflows()
            except PollShutdownError:
                break
            completion = await workflows.handle(activation)
            if completion.HasField("failed"):
                found.insert(0, completion.failed.failure.message)
            await engine.complete_workflow(completion)
    except RuntimeError as error:
        found.append(str(error))
    finally:
        engine.initiate_shutdown()
        try:
            await asyncio.wait_for(engine.finalize_shutdown(), _FINALIZE)
        except (TimeoutError, RuntimeError) as error:
            log.debug("the engine's worker was not closed", error=str(error))
    return found[0] if found else ""


def workflow_type_of(history: History) -> str:
    """The type in the first event; empty for a history without one."""
    started = _started(history)
    return started.workflow_execution_started_event_attributes.workflow_type.name if started is not None else ""


def up_to(history: History, last_event_id: int) -> History:
    """The history up to an event; 0 = all."""
    if not last_event_id:
        return history
    return History(events=[event for event in history.events if event.event_id <= last_event_id])


def _workflow_id(history: History) -> str:
    started = _started(history)
    found = started.workflow_execution_started_event_attributes.workflow_id if started is not None else ""
    return found or "replayed"


def _started(history: History) -> HistoryEvent | None:
    events: Sequence[HistoryEvent] = history.events
    if events and events[0].HasField("workflow_execution_started_event_attributes"):
        return events[0]
    return None
