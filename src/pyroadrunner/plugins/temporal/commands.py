"""PHP's commands: what a workflow does, for Temporal. One function for each command. Pure.

A function returns whether PHP must have the answer now: the workflow goes on with it in the same task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from temporalio.api.common.v1 import Payload

from pyroadrunner.plugins.temporal.core import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ScheduleLocalActivity,
)
from pyroadrunner.plugins.temporal.envelope import copy_header, options_of
from pyroadrunner.plugins.temporal.failures import TaskFailed, application, canceled, cancellation_details
from pyroadrunner.plugins.temporal.jobs import answer_child_start
from pyroadrunner.plugins.temporal.local_activities import schedule_local
from pyroadrunner.plugins.temporal.operations import Kind, Operation
from pyroadrunner.plugins.temporal.run import Run
from pyroadrunner.plugins.temporal.search_attributes import typed_payload
from pyroadrunner.plugins.temporal.side_effects import ACTIVITY, placeholder
from pyroadrunner.plugins.temporal.values import json_payload, set_duration, set_priority, set_retry_policy
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message

_MINUTE = 60 * 10**9

Options = Mapping[str, Any]


def execute(run: Run, message: Message) -> bool:
    """Carry out a command of PHP.

    Returns:
        whether the answers that wait must be sent now.

    Raises:
        TaskFailed: the task fails: by PHP's wish, or the command is unknown or invalid.
    """
    function = _COMMANDS.get(message.command)
    if function is None:
        raise TaskFailed(application(f"undefined command {message.command}", "UndefinedCommand"))
    options = options_of(message)
    try:
        return bool(function(run, message, options))
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        text = f"the command {message.command} has invalid options: {type(wrong).__name__}: {wrong}"
        raise TaskFailed(application(text, "InvalidCommand")) from wrong


# -- activities --------------------------------------------------------------------------------------------------------


def _activity(run: Run, message: Message, command: Options) -> None:
    options: Options = command.get("options") or {}
    seq = run.numbers.next()
    added = run.add()
    _summary(added, options.get("Summary"))
    activity = added.schedule_activity
    activity.seq = seq
    activity.activity_id = options.get("ActivityID") or str(seq)
    activity.activity_type = command["name"]
    activity.task_queue = options.get("TaskQueueName") or run.rules.task_queue
    activity.arguments.extend(message.payloads.payloads)
    copy_header(activity.headers, message.header.fields)
    set_duration(activity.schedule_to_close_timeout, options.get("ScheduleToCloseTimeout"))
    set_duration(activity.schedule_to_start_timeout, options.get("ScheduleToStartTimeout"))
    set_duration(activity.start_to_close_timeout, options.get("StartToCloseTimeout"))
    set_duration(activity.heartbeat_timeout, options.get("HeartbeatTimeout"))
    if options.get("RetryPolicy"):
        set_retry_policy(activity.retry_policy, options["RetryPolicy"])
    set_priority(activity.priority, options.get("Priority"))
    waits = bool(options.get("WaitForCancellation"))
    kinds = ActivityCancellationType
    activity.cancellation_type = kinds.WAIT_CANCELLATION_COMPLETED if waits else kinds.TRY_CANCEL
    activity.do_not_eagerly_execute = not run.rules.eager_activities
    run.operations.add(Operation(kind=Kind.ACTIVITY, seq=seq, php_id=message.id, waits_for_cancellation=waits))


def _local_activity(run: Run, message: Message, command: Options) -> None:
    options: Options = command.get("options") or {}
    activity = ScheduleLocalActivity(activity_type=command["name"], attempt=1)
    activity.arguments.extend(message.payloads.payloads)
    copy_header(activity.headers, message.header.fields)
    set_duration(activity.schedule_to_close_timeout, options.get("ScheduleToCloseTimeout") or _MINUTE)
    set_duration(activity.start_to_close_timeout, options.get("StartToCloseTimeout") or _MINUTE)
    policy = options.get("RetryPolicy")
    if policy:
        set_retry_policy(activity.retry_policy, policy)
    if not policy or not (policy.get("initial_interval") or {}):
        activity.retry_policy.maximum_attempts = 1  # without an interval RoadRunner's engine does not retry either
    schedule_local(run, message.id, activity)


def _side_effect(run: Run, message: Message, _: Options) -> None:
    values = [placeholder(run.activation.history_length)] if run.presented_as_replay else message.payloads.payloads
    activity = ScheduleLocalActivity(activity_type=ACTIVITY, attempt=1, arguments=values)
    set_duration(activity.schedule_to_close_timeout, _MINUTE)
    set_duration(activity.start_to_close_timeout, _MINUTE)
    activity.retry_policy.maximum_attempts = 1
    schedule_local(run, message.id, activity)


# -- timers ------------------------------------------------------------------------------------------------------------


def _timer(run: Run, message: Message, command: Options) -> bool:
    milliseconds = int(command["ms"])
    if milliseconds <= 0:
        run.answer(message.id)
        return True
    seq = run.numbers.next()
    added = run.add()
    _summary(added, command.get("summary"))
    added.start_timer.seq = seq
    set_duration(added.start_timer.start_to_fire_timeout, milliseconds * 10**6)
    run.operations.add(Operation(kind=Kind.TIMER, seq=seq, php_id=message.id))
    return False


def _cancel(run: Run, message: Message, command: Options) -> bool:
    for php_id in command["ids"]:
        operation = run.operations.by_php_id(int(php_id))
        if operation is not None:
            _cancel_operation(run, operation)
    run.answer(message.id, [json_payload("completed")])
    return True


def _cancel_operation(run: Run, operation: Operation) -> None:
    seq = operation.seq
    if operation.kind is Kind.TIMER or operation.kind is Kind.BACKOFF:
        run.add().cancel_timer.seq = seq
        _give_up(run, operation)
    elif operation.kind is Kind.ACTIVITY:
        run.add().request_cancel_activity.seq = seq
        if not operation.waits_for_cancellation:
            _give_up(run, operation)
    elif operation.kind is Kind.LOCAL:
        run.add(counted=False).request_cancel_local_activity.seq = seq
    elif operation.kind is Kind.CHILD:
        run.add().cancel_child_workflow_execution.child_workflow_seq = seq


def _give_up(run: Run, operation: Operation) -> None:
    """Tell PHP now that an operation is canceled; what the engine says of it later is ignored."""
    run.operations.take(operation.kind, operation.seq)
    run.fail(operation.php_id, canceled())


# -- children and other workflows --------------------------------------------------------------------------------------


def _child(run: Run, message: Message, command: Options) -> None:
    options: Options = command.get("options") or {}
    workflow_id = options.get("WorkflowID")
    if not workflow_id:
        run.named_children += 1
        workflow_id = f"{run.run_id}_{run.named_children}"
    seq = run.numbers.next()
    added = run.add()
    _summary(added, options.get("StaticSummary"))
    if options.get("StaticDetails"):
        added.user_metadata.details.CopyFrom(json_payload(options["StaticDetails"]))
    child = added.start_child_workflow_execution
    child.seq = seq
    child.namespace = options.get("Namespace") or run.rules.namespace
    child.workflow_id = workflow_id
    child.workflow_type = command["name"]
    child.task_queue = options.get("TaskQueueName") or run.rules.task_queue
    child.input.extend(message.payloads.payloads)
    copy_header(child.headers, message.header.fields)
    set_duration(child.workflow_execution_timeout, options.get("WorkflowExecutionTimeout"))
    set_duration(child.workflow_run_timeout, options.get("WorkflowRunTimeout"))
    set_duration(child.workflow_task_timeout, options.get("WorkflowTaskTimeout"))
    child.parent_close_policy = _number(options.get("ParentClosePolicy"))
    child.workflow_id_reuse_policy = _number(options.get("WorkflowIDReusePolicy"))
    child.cron_schedule = options.get("CronSchedule") or ""
    if options.get("RetryPolicy"):
        set_retry_policy(child.retry_policy, options["RetryPolicy"])
    set_priority(child.priority, options.get("Priority"))
    for name, value in (options.get("Memo") or {}).items():
        child.memo[name].CopyFrom(json_payload(value))
    for name, value in (options.get("SearchAttributes") or {}).items():
        child.search_attributes.indexed_fields[name].CopyFrom(json_payload(value))
    child.cancellation_type = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
    detail = (workflow_id, command["name"])
    run.operations.add(Operation(kind=Kind.CHILD, seq=seq, php_id=message.id, detail=detail))


def _child_execution(run: Run, message: Message, command: Options) -> bool:
    child = int(command["id"])
    if child not in run.children:
        run.awaiting_start.setdefault(child, []).append(message.id)
        return False
    answer_child_start(run, message.id, *run.children[child])
    return True


def _signal(run: Run, message: Message, command: Options) -> None:
    seq = run.numbers.next()
    signal = run.add().signal_external_workflow_execution
    signal.seq = seq
    signal.signal_name = command["signal"]
    signal.args.extend(message.payloads.payloads)
    copy_header(signal.headers, message.header.fields)
    if command.get("childWorkflowOnly"):
        signal.child_workflow_id = command["workflowID"]
    else:
        _target(run, signal.workflow_execution, command)
    run.operations.add(Operation(kind=Kind.SIGNAL, seq=seq, php_id=message.id))


def _cancel_external(run: Run, message: Message, command: Options) -> None:
    seq = run.numbers.next()
    request = run.add().request_cancel_external_workflow_execution
    request.seq = seq
    _target(run, request.workflow_execution, command)
    run.operations.add(Operation(kind=Kind.CANCEL, seq=seq, php_id=message.id))


def _target(run: Run, execution: Any, command: Options) -> None:
    execution.namespace = command.get("namespace") or run.rules.namespace
    execution.workflow_id = command["workflowID"]
    execution.run_id = command.get("runID") or ""


# -- the end -----------------------------------------------------------------------------------------------------------


def _complete(run: Run, message: Message, _: Options) -> None:
    run.ended = True
    if not message.HasField("failure"):
        completed = run.add().complete_workflow_execution
        completed.SetInParent()
        if message.payloads.payloads:
            completed.result.CopyFrom(message.payloads.payloads[0])
        return
    details = cancellation_details(message.failure)
    if details is None:
        run.add().fail_workflow_execution.failure.CopyFrom(message.failure)
    else:
        run.add().cancel_workflow_execution.details.CopyFrom(details)


def _continue_as_new(run: Run, message: Message, command: Options) -> None:
    options: Options = command.get("options") or {}
    run.ended = True
    continued = run.add().continue_as_new_workflow_execution
    continued.workflow_type = command["name"]
    continued.task_queue = options.get("TaskQueueName") or run.rules.task_queue
    continued.arguments.extend(message.payloads.payloads)
    copy_header(continued.headers, message.header.fields)
    set_duration(continued.workflow_run_timeout, options.get("WorkflowRunTimeout"))
    set_duration(continued.workflow_task_timeout, options.get("WorkflowTaskTimeout"))


def _panic(_run: Run, message: Message, _: Options) -> None:
    raise TaskFailed(message.failure)


def _undefined_response(_run: Run, _message: Message, command: Options) -> None:
    raise TaskFailed(application(f"undefined response: {command.get('message', '')}", "UndefinedResponse"))


# -- updates -----------------------------------------------------------------------------------------------------------


def _update_validated(run: Run, message: Message, command: Options) -> None:
    update = str(command["id"])
    instance = _running_update(run, update)
    if message.HasField("failure"):
        del run.updates[update]
        response = run.add(counted=False).update_response  # the history does not have it
        response.protocol_instance_id = instance
        response.rejected.CopyFrom(message.failure)
    else:
        response = run.add().update_response
        response.protocol_instance_id = instance
        response.accepted.SetInParent()


def _update_completed(run: Run, message: Message, command: Options) -> None:
    update = str(command["id"])
    response = run.add().update_response
    response.protocol_instance_id = _running_update(run, update)
    del run.updates[update]
    if message.HasField("failure"):
        response.rejected.CopyFrom(message.failure)
    else:
        response.completed.SetInParent()
        if message.payloads.payloads:
            response.completed.CopyFrom(message.payloads.payloads[0])


def _running_update(run: Run, update: str) -> str:
    if update not in run.updates:
        raise TaskFailed(application(f"no such update is running: {update}", "UnknownUpdate"))
    return run.updates[update]


# -- versions, memo, search attributes ---------------------------------------------------------------------------------


def _version(run: Run, message: Message, command: Options) -> bool:
    change, oldest, newest = command["changeID"], int(command["minSupported"]), int(command["maxSupported"])
    version, patch = run.versions.get(change, newest, replaying=run.replaying)
    if patch:
        marker = run.add(counted=False).set_patch_marker
        marker.patch_id = patch
        marker.deprecated = True
    if version < oldest:
        raise TaskFailed(
            application(f"Workflow code removed support of version {version} for the change {change}", "VersionError")
        )
    if version > newest:
        raise TaskFailed(
            application(
                f"Workflow code is too old to support version {version} for the change {change}", "VersionError"
            )
        )
    run.answer(message.id, [json_payload(version)])
    return True


def _upsert_memo(run: Run, _message: Message, command: Options) -> None:
    memo: Options = command.get("memo") or {}
    if memo:
        fields = run.add().modify_workflow_properties.upserted_memo.fields
        for name, value in memo.items():
            fields[name].CopyFrom(json_payload(value))


def _upsert_attributes(run: Run, _message: Message, command: Options) -> None:
    attributes: Options = command.get("searchAttributes") or {}
    if attributes:
        fields = run.add().upsert_workflow_search_attributes.search_attributes.indexed_fields
        for name, value in attributes.items():
            fields[name].CopyFrom(json_payload(value))


def _upsert_typed_attributes(run: Run, _message: Message, command: Options) -> None:
    payloads: dict[str, Payload] = {}
    for name, attribute in (command.get("search_attributes") or {}).items():
        payload = typed_payload(name, attribute)
        if payload is not None:
            payloads[name] = payload
    if payloads:
        fields = run.add().upsert_workflow_search_attributes.search_attributes.indexed_fields
        copy_header(fields, payloads)


def _number(value: Any) -> Any:
    """Of an enum of protobuf."""
    return int(value or 0)


def _summary(added: Any, text: str | None) -> None:
    """The summary of a command, which Temporal's UI shows."""
    if text:
        added.user_metadata.summary.CopyFrom(json_payload(text))


_COMMANDS: dict[str, Callable[[Run, Message, Options], bool | None]] = {
    "ExecuteActivity": _activity,
    "ExecuteLocalActivity": _local_activity,
    "ExecuteChildWorkflow": _child,
    "GetChildWorkflowExecution": _child_execution,
    "NewTimer": _timer,
    "SideEffect": _side_effect,
    "GetVersion": _version,
    "CompleteWorkflow": _complete,
    "ContinueAsNew": _continue_as_new,
    "UpdateValidated": _update_validated,
    "UpdateCompleted": _update_completed,
    "SignalExternalWorkflow": _signal,
    "CancelExternalWorkflow": _cancel_external,
    "Cancel": _cancel,
    "UpsertWorkflowSearchAttributes": _upsert_attributes,
    "UpsertWorkflowTypedSearchAttributes": _upsert_typed_attributes,
    "UpsertMemo": _upsert_memo,
    "Panic": _panic,
    "UndefinedResponse": _undefined_response,
}
