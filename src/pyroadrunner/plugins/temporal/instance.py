"""The pump of a run: activations of the engine go in, frames for PHP come out, and PHP's commands become commands for
Temporal. Pure: :func:`activate` is a generator that yields frames and is sent PHP's messages.

Theory of operation: an activation has jobs (started, signaled, a timer fired). Each becomes a message; all messages
are sent to PHP as one frame. PHP answers with commands, which are carried out one after the other. A few must be
answered immediately (``commands.py`` says which): their answers are a frame of their own, and PHP's new commands go to
the end of the line. When the line is empty, the commands for Temporal are the completion of the activation. Queries
get a frame each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pyroadrunner.plugins.temporal.commands import execute
from pyroadrunner.plugins.temporal.core import QueryWorkflow, Success, WorkflowActivation
from pyroadrunner.plugins.temporal.core import WorkflowActivationCompletion as Completion
from pyroadrunner.plugins.temporal.envelope import command, encode_json, write
from pyroadrunner.plugins.temporal.failures import TaskFailed, application, panic_of, query_failure
from pyroadrunner.plugins.temporal.jobs import queue_job
from pyroadrunner.plugins.temporal.run import Run
from pyroadrunner.plugins.temporal.values import tick
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A frame for PHP.

    Attributes:
        context: JSON.
        body: the messages.
    """

    context: bytes
    body: bytes


Exchange = Generator[Outgoing, Sequence[Message], Completion]
_Frames = Generator[Outgoing, Sequence[Message], None]


def activate(run: Run, activation: WorkflowActivation) -> Exchange:
    """Handle an activation.

    Returns:
        its completion: commands for Temporal, or the failure of the task.

    Raises:
        TaskFailed: the task fails and is tried again.
    """
    run.begin(activation)
    completion = Completion(run_id=activation.run_id)
    try:
        queries: list[QueryWorkflow] = []
        updates = []
        for job in activation.jobs:
            if job.HasField("query_workflow"):
                queries.append(job.query_workflow)
            elif job.HasField("do_update"):
                updates.append(job)
            else:
                queue_job(run, job)
        for job in updates:  # after results: RoadRunner's order
            queue_job(run, job)
        yield from _pump(run)
        for query in queries:
            yield from _answer(run, query)
    except TaskFailed as wrong:
        if wrong.retry or not run.rules.fail_on_panic:
            raise
        run.success = Success()
        run.ended = True
        run.success.commands.add().fail_workflow_execution.failure.CopyFrom(panic_of(wrong.failure))
    run.success.versioning_behavior = run.rules.behaviors.get(run.workflow_type, 0)  # type: ignore[assignment]
    completion.successful.CopyFrom(run.success)
    return completion


def destroy(run: Run) -> Outgoing:
    """The frame that tells PHP to forget the run. PHP's answer does not matter."""
    return _frame(run, [command(run.rules.next_id(), "DestroyWorkflow", {"runId": run.run_id}, header=run.header)])


def _pump(run: Run) -> _Frames:
    line: deque[Message] = deque()
    if run.outgoing:
        line.extend((yield _next_frame(run)))
    while line:
        message = line.popleft()
        if not message.command:
            _check(run, message)
        elif execute(run, message) and run.outgoing:
            line.extend((yield _next_frame(run)))


def _check(run: Run, answer: Message) -> None:
    """PHP's answers say nothing, but that it can't start the workflow."""
    if answer.HasField("failure") and run.activation.jobs and run.activation.jobs[0].HasField("initialize_workflow"):
        raise TaskFailed(answer.failure, retry=True)


def _answer(run: Run, query: QueryWorkflow) -> _Frames:
    if query.query_type == "__stack_trace":
        asked = command(run.rules.next_id(), "StackTrace", {"runId": run.run_id}, (), run.header)
    else:
        options = {"runId": run.run_id, "name": query.query_type}
        asked = command(run.rules.next_id(), "InvokeQuery", options, query.arguments, dict(query.headers) or None)
    said = yield _frame(run, [asked])
    result = run.add(counted=False).respond_to_query
    result.query_id = query.query_id
    if len(said) != 1:
        failure = application(f"a query has one answer, PHP gave {len(said)}", "BadAnswer")
        result.failed.CopyFrom(query_failure(failure))
    elif said[0].HasField("failure"):
        result.failed.CopyFrom(query_failure(said[0].failure))
    else:
        result.succeeded.SetInParent()
        if said[0].payloads.payloads:
            result.succeeded.response.CopyFrom(said[0].payloads.payloads[0])


def _next_frame(run: Run) -> Outgoing:
    messages, run.outgoing = run.outgoing, []
    return _frame(run, messages)


def _frame(run: Run, messages: Sequence[Message]) -> Outgoing:
    now = run.activation
    time = tick(now.timestamp)
    replay = run.presented_as_replay
    context: dict[str, object] = {
        "taskQueue": run.rules.task_queue,
        "tickTime": time,
        "rr_id": run.rr_id,
        "continue_as_new_suggested": now.continue_as_new_suggested,
    }
    if replay:
        context["replay"] = True
    if now.history_length:
        context["history_length"] = now.history_length
    if now.history_size_bytes:
        context["history_size"] = now.history_size_bytes
    for message in messages:  # PHP prefers the context; older clients read the messages
        message.run_id = run.rr_id
        message.task_queue = run.rules.task_queue
        message.tick_time = time
        message.replay = replay
        message.history_length = now.history_length
        message.history_size = now.history_size_bytes
        message.continue_as_new_suggested = now.continue_as_new_suggested
    return Outgoing(context=encode_json(context), body=write(messages))
