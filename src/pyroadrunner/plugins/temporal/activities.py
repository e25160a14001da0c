"""Activities: each task of the engine is a call of a worker of the pool."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload as TemporalPayload
from temporalio.api.failure.v1 import Failure

from pyroadrunner.contracts import Log, Payload, PoolError, TemporalCall, WorkerFailed, WorkerPool
from pyroadrunner.plugins.temporal.core import (
    ActivityCancellationDetails,
    ActivityTask,
    ActivityTaskCompletion,
    CoreWorker,
    Start,
)
from pyroadrunner.plugins.temporal.envelope import command, encode_json, read, write
from pyroadrunner.plugins.temporal.errors import BadAnswer
from pyroadrunner.plugins.temporal.failures import application, with_info
from pyroadrunner.plugins.temporal.run_info import activity_info
from pyroadrunner.plugins.temporal.side_effects import ACTIVITY, failure_of
from pyroadrunner.plugins.temporal.wrappers import Wrappers

log = Log("temporal")

_ASYNCHRONOUS = "doNotCompleteOnReturn"  # PHP's failure for an activity that another process completes


@dataclass(slots=True)
class RunningActivity:
    """An activity of this server.

    Attributes:
        engine: takes its heartbeats.
        cancellation: what Temporal said; ``None`` = nothing.
    """

    engine: CoreWorker
    cancellation: ActivityCancellationDetails | None = None


class RunningActivities(dict[bytes, RunningActivity]):
    """All activities of this server, by task token."""


class Activities:
    """The activities of a task queue.

    Args:
        pool: ``None`` = activity workers are switched off; only side effects run.
        running: shared by all task queues, for heartbeats.
        wrappers: of each activity.
    """

    def __init__(
        self,
        engine: CoreWorker,
        pool: WorkerPool | None,
        running: RunningActivities,
        task_queue: str,
        namespace: str,
        wrappers: Wrappers,
    ) -> None:
        self._engine = engine
        self._wrappers = wrappers
        self._pool = pool
        self._running = running
        self._task_queue = task_queue
        self._namespace = namespace
        self._numbers = {False: itertools.count(1), True: itertools.count(1)}
        self._context = encode_json({"taskQueue": task_queue, "rr_id": "", "continue_as_new_suggested": False})

    def cancel(self, task: ActivityTask) -> None:
        """Temporal wants an activity to stop: its next heartbeat says so."""
        running = self._running.get(task.task_token)
        if running is not None:
            running.cancellation = task.cancel.details

    async def run(self, task: ActivityTask) -> ActivityTaskCompletion:
        """Run an activity to its end; never raises."""
        start = task.start
        completion = ActivityTaskCompletion(task_token=task.task_token)
        if start.is_local and start.activity_type == ACTIVITY:
            _run_side_effect(start, completion)
            return completion
        self._running[task.task_token] = RunningActivity(self._engine)
        try:
            await self._wrapped(start, task.task_token, completion)
        except (PoolError, BadAnswer) as failed:
            log.error(
                "activity failed",
                activity=start.activity_type,
                workflow_id=start.workflow_execution.workflow_id,
                run_id=start.workflow_execution.run_id,
                attempt=start.attempt,
                error=str(failed),
            )
            text = failed.text if isinstance(failed, WorkerFailed) else str(failed)
            completion.result.failed.failure.CopyFrom(application(text, type(failed).__name__))
        except Exception as bug:  # a bug of ours: the activity fails with it, and the others go on
            log.error("activity failed", activity=start.activity_type, error=f"{type(bug).__name__}: {bug}")
            completion.result.failed.failure.CopyFrom(application(str(bug), type(bug).__name__))
        finally:
            del self._running[task.task_token]
        return completion

    async def _wrapped(self, start: Start, token: bytes, completion: ActivityTaskCompletion) -> None:
        """Run an activity in a span and in the interceptors, if there are any."""
        wrappers = self._wrappers
        header = dict(start.header_fields)
        if not wrappers:
            await self._call(start, token, completion, header)
            return
        call = TemporalCall(
            kind="local activity" if start.is_local else "activity",
            type=start.activity_type,
            task_queue=self._task_queue,
            workflow_id=start.workflow_execution.workflow_id,
            run_id=start.workflow_execution.run_id,
            workflow_type=start.workflow_type,
            attempt=start.attempt,
            header=header,
        )

        async def work(header: Mapping[str, TemporalPayload]) -> str:
            await self._call(start, token, completion, header)
            result = completion.result
            if result.HasField("failed"):
                return result.failed.failure.message
            return result.cancelled.failure.message if result.HasField("cancelled") else ""

        await wrappers.run(call, work)

    async def _call(
        self, start: Start, token: bytes, completion: ActivityTaskCompletion, header: Mapping[str, TemporalPayload]
    ) -> None:
        if self._pool is None:
            text = "activity workers are switched off (temporal.disable_activity_workers)"
            completion.result.failed.failure.CopyFrom(application(text, "NoActivityWorkers", non_retryable=True))
            return
        options: dict[str, object] = {
            "name": start.activity_type,
            "info": activity_info(start, token, self._task_queue, self._namespace),
        }
        payloads: list[TemporalPayload] = list(start.input)
        if start.heartbeat_details:
            options["heartbeatDetails"] = len(start.heartbeat_details)
            payloads += start.heartbeat_details
        name = "InvokeLocalActivity" if start.is_local else "InvokeActivity"
        message = command(next(self._numbers[start.is_local]), name, options, payloads, header or None)
        message.task_queue = self._task_queue
        reply = await self._pool.exec(
            Payload(self._context, write([message])),
            describe=lambda: f"{start.activity_type} {start.workflow_execution.workflow_id}",
        )
        answers = read(reply.body)
        if len(answers) != 1:
            raise BadAnswer(f"an activity has one answer, PHP gave {len(answers)}")
        answer = answers[0]
        if not answer.HasField("failure"):
            completion.result.completed.SetInParent()
            if answer.payloads.payloads:
                completion.result.completed.result.CopyFrom(answer.payloads.payloads[0])
        else:
            self._failed(answer.failure, token, completion)

    def _failed(self, failure: Failure, token: bytes, completion: ActivityTaskCompletion) -> None:
        if failure.message == _ASYNCHRONOUS:
            completion.result.will_complete_async.SetInParent()
        elif failure.HasField("canceled_failure_info"):
            completion.result.cancelled.failure.CopyFrom(failure)
        else:
            completion.result.failed.failure.CopyFrom(with_info(failure))


def _run_side_effect(start: Start, completion: ActivityTaskCompletion) -> None:
    argument = start.input[0] if start.input else TemporalPayload(metadata={"encoding": b"binary/null"})
    failure = failure_of(argument)
    if failure is None:
        completion.result.completed.result.CopyFrom(argument)
    else:
        completion.result.failed.failure.CopyFrom(failure)
