"""Jobs of an activation: what has happened, for PHP. One function for each kind of job. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from pyroadrunner.plugins.temporal.core import (
    ChildWorkflowResult,
    DoUpdate,
    FireTimer,
    InitializeWorkflow,
    ResolveActivity,
    ResolveChildWorkflowExecution,
    ResolveChildWorkflowExecutionStart,
    ResolveRequestCancelExternalWorkflow,
    ResolveSignalExternalWorkflow,
    SignalWorkflow,
    StartChildWorkflowExecutionFailedCause,
    WorkflowActivationJob,
)
from pyroadrunner.plugins.temporal.envelope import decode_json
from pyroadrunner.plugins.temporal.failures import TaskFailed, application, child_not_started, translated, with_info
from pyroadrunner.plugins.temporal.local_activities import schedule_local, wait_for_next_attempt
from pyroadrunner.plugins.temporal.operations import Kind, Operation
from pyroadrunner.plugins.temporal.run import Run
from pyroadrunner.plugins.temporal.run_info import typed_search_attributes, workflow_info
from pyroadrunner.plugins.temporal.side_effects import missing_value
from pyroadrunner.plugins.temporal.values import json_payload


def queue_job(run: Run, job: WorkflowActivationJob) -> None:
    """Add the message about a job to the next frame, if PHP hears of it.

    Raises:
        TaskFailed
    """
    kind = job.WhichOneof("variant") or ""
    handler = _JOBS.get(kind)
    if handler is not None:
        handler(run, getattr(job, kind))


def _initialize(run: Run, job: InitializeWorkflow) -> None:
    run.start = job
    if job.workflow_type not in run.rules.behaviors:
        known = ", ".join(run.rules.behaviors)
        text = f"unable to find workflow type: {job.workflow_type}. Supported types: [{known}]"
        raise TaskFailed(application(text, "UnknownWorkflowType"), retry=True)
    run.header = dict(job.headers) or None
    options: dict[str, Any] = {"info": workflow_info(job, run.run_id, run.rules.task_queue, run.rules.namespace)}
    attributes = typed_search_attributes(job.search_attributes, decode_json)
    if attributes:
        options["search_attributes"] = attributes
    payloads = list(job.arguments)
    if job.last_completion_result.payloads:
        options["lastCompletion"] = len(job.last_completion_result.payloads)
        payloads += job.last_completion_result.payloads
    run.say("StartWorkflow", options, payloads, run.header)


def _signal(run: Run, job: SignalWorkflow) -> None:
    options = {"runId": run.run_id, "name": job.signal_name}
    run.say("InvokeSignal", options, list(job.input), dict(job.headers) or None)


def _cancel(run: Run, _job: object) -> None:
    run.say("CancelWorkflow", {"runId": run.run_id}, None, run.header)


def _update(run: Run, job: DoUpdate) -> None:
    run.updates[job.id] = job.protocol_instance_id
    options = {"updateId": job.id, "runId": run.run_id, "name": job.name, "type": "validate_execute"}
    if not job.run_validator:
        options["replay"] = True  # type: ignore[assignment]  # PHP then does not validate
    run.say("InvokeUpdate", options, list(job.input), dict(job.headers) or None)


def _patch(run: Run, job: Any) -> None:
    run.versions.notify(job.patch_id)


def _timer(run: Run, job: FireTimer) -> None:
    operation = run.operations.take(Kind.TIMER, job.seq)
    if operation is not None:
        run.answer(operation.php_id)
        return
    operation = run.operations.take(Kind.BACKOFF, job.seq)
    if operation is not None:
        schedule_local(run, operation.php_id, operation.detail)


def _activity(run: Run, job: ResolveActivity) -> None:
    operation = run.operations.take(Kind.LOCAL if job.is_local else Kind.ACTIVITY, job.seq)
    if operation is None:  # it was canceled, and PHP knows
        return
    result = job.result
    if result.HasField("completed"):
        _result(run, operation, result.completed)
    elif result.HasField("backoff"):
        wait_for_next_attempt(run, operation, result.backoff)
    else:
        failure = result.failed.failure if result.HasField("failed") else result.cancelled.failure
        length = missing_value(failure)
        if length is not None:
            run.rules.reevaluations.add(run.run_id, length)
            raise TaskFailed(failure, retry=True)
        run.fail(operation.php_id, with_info(failure))


def _result(run: Run, operation: Operation, success: Any) -> None:
    run.answer(operation.php_id, [success.result] if success.HasField("result") else None)


def _child_start(run: Run, job: ResolveChildWorkflowExecutionStart) -> None:
    operation = run.operations.find(Kind.CHILD, job.seq)
    if operation is None:
        return
    workflow_id, workflow_type = operation.detail
    if job.HasField("succeeded"):
        child_started(run, operation.php_id, json_payload({"ID": workflow_id, "RunID": job.succeeded.run_id}), None)
        return
    run.operations.take(Kind.CHILD, job.seq)
    if job.HasField("failed"):
        exists = (
            StartChildWorkflowExecutionFailedCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
        )
        kind, message = (
            ("ChildWorkflowExecutionAlreadyStartedError", "child workflow execution already started")
            if job.failed.cause == exists
            else ("NamespaceNotFoundError", "namespace not found")
        )
        failure = child_not_started(workflow_id, workflow_type, run.rules.namespace, kind, message)
    else:
        failure = with_info(job.cancelled.failure)
    run.fail(operation.php_id, failure)
    child_started(run, operation.php_id, None, failure)


def child_started(run: Run, php_id: int, execution: Payload | None, failure: Failure | None) -> None:
    """Remember how the start of a child ended, and tell PHP if it waits for that."""
    run.children[php_id] = (execution, failure)
    for question in run.awaiting_start.pop(php_id, ()):
        answer_child_start(run, question, execution, failure)


def answer_child_start(run: Run, php_id: int, execution: Payload | None, failure: Failure | None) -> None:
    """Answer PHP's question for the execution of a child."""
    if failure is not None:
        run.fail(php_id, failure)
    else:
        run.answer(php_id, [execution] if execution is not None else None)


def _child(run: Run, job: ResolveChildWorkflowExecution) -> None:
    operation = run.operations.take(Kind.CHILD, job.seq)
    if operation is None:
        return
    result: ChildWorkflowResult = job.result
    if result.HasField("completed"):
        _result(run, operation, result.completed)
    else:
        failure = result.failed.failure if result.HasField("failed") else result.cancelled.failure
        run.fail(operation.php_id, with_info(failure))


def _signaled(run: Run, job: ResolveSignalExternalWorkflow) -> None:
    _external(run, run.operations.take(Kind.SIGNAL, job.seq), job)


def _cancellation_requested(run: Run, job: ResolveRequestCancelExternalWorkflow) -> None:
    _external(run, run.operations.take(Kind.CANCEL, job.seq), job)


def _external(
    run: Run, operation: Operation | None, job: ResolveSignalExternalWorkflow | ResolveRequestCancelExternalWorkflow
) -> None:
    if operation is None:
        return
    if job.HasField("failure"):
        run.fail(operation.php_id, translated(job.failure))
    else:
        run.answer(operation.php_id)


_JOBS: dict[str, Callable[[Run, Any], None]] = {
    "initialize_workflow": _initialize,
    "signal_workflow": _signal,
    "cancel_workflow": _cancel,
    "do_update": _update,
    "notify_has_patch": _patch,
    "fire_timer": _timer,
    "resolve_activity": _activity,
    "resolve_child_workflow_execution_start": _child_start,
    "resolve_child_workflow_execution": _child,
    "resolve_signal_external_workflow": _signaled,
    "resolve_request_cancel_external_workflow": _cancellation_requested,
}
