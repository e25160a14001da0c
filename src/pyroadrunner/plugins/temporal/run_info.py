"""What PHP is told about a run and an activity, in the JSON of the Go SDK's structs. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, SearchAttributes

from pyroadrunner.plugins.temporal.core import InitializeWorkflow, Start
from pyroadrunner.plugins.temporal.values import (
    NO_TIME,
    nanoseconds,
    payload_map,
    priority_json,
    retry_policy_json,
    time_text,
)

_TYPED = {  # of search attributes: the engine's name, PHP's
    "Bool": "bool",
    "Double": "float64",
    "Int": "int64",
    "Keyword": "keyword",
    "KeywordList": "keyword_list",
    "Text": "string",
    "Datetime": "datetime",
}
ATTRIBUTE_TYPES = {php: temporal for temporal, php in _TYPED.items()}


def _execution(workflow_id: str, run_id: str) -> dict[str, str]:
    return {"ID": workflow_id, "RunID": run_id}


def workflow_info(start: InitializeWorkflow, run_id: str, task_queue: str, namespace: str) -> dict[str, Any]:
    """``workflow.Info`` of a run."""
    parent = start.parent_workflow_info
    root = start.root_workflow
    return {
        "WorkflowExecution": _execution(start.workflow_id, run_id),
        "OriginalRunID": getattr(start, "original_execution_run_id", "") or run_id,
        "FirstRunID": start.first_execution_run_id,
        "WorkflowType": {"Name": start.workflow_type},
        "TaskQueueName": task_queue,
        "WorkflowExecutionTimeout": nanoseconds(start.workflow_execution_timeout),
        "WorkflowRunTimeout": nanoseconds(start.workflow_run_timeout),
        "WorkflowTaskTimeout": nanoseconds(start.workflow_task_timeout),
        "Namespace": namespace,
        "Attempt": start.attempt,
        "WorkflowStartTime": time_text(start.start_time),
        "CronSchedule": start.cron_schedule,
        "ContinuedExecutionRunID": start.continued_from_execution_run_id,
        "ParentWorkflowNamespace": parent.namespace,
        "ParentWorkflowExecution": _execution(parent.workflow_id, parent.run_id)
        if start.HasField("parent_workflow_info")
        else None,
        "RootWorkflowExecution": _execution(root.workflow_id, root.run_id) if start.HasField("root_workflow") else None,
        "Memo": {"fields": payload_map(start.memo.fields)} if start.memo.fields else None,
        "SearchAttributes": {"indexed_fields": payload_map(start.search_attributes.indexed_fields)}
        if start.search_attributes.indexed_fields
        else None,
        "RetryPolicy": retry_policy_json(start.retry_policy) if start.HasField("retry_policy") else None,
        "Priority": priority_json(start.priority),
        "BinaryChecksum": "",
    }


def typed_search_attributes(attributes: SearchAttributes, decode: Any) -> dict[str, Any]:
    """The search attributes whose type is known, with their values.

    Args:
        decode: of JSON.
    """
    found: dict[str, Any] = {}
    for name, payload in attributes.indexed_fields.items():
        kind = _TYPED.get(payload.metadata.get("type", b"").decode())
        if kind is not None and payload.data:
            found[name] = {"type": kind, "value": decode(payload.data)}
    return found


def activity_info(start: Start, token: bytes, task_queue: str, namespace: str) -> dict[str, Any]:
    """``activity.Info`` of a task."""
    execution = start.workflow_execution
    return {
        "TaskToken": base64.b64encode(token).decode(),
        "WorkflowType": {"Name": start.workflow_type},
        "WorkflowNamespace": start.workflow_namespace,
        "WorkflowExecution": _execution(execution.workflow_id, execution.run_id),
        "ActivityID": start.activity_id,
        "ActivityRunID": getattr(start, "run_id", ""),
        "ActivityType": {"Name": start.activity_type},
        "TaskQueue": task_queue,
        "Namespace": namespace,
        "HeartbeatTimeout": nanoseconds(start.heartbeat_timeout),
        "ScheduleToCloseTimeout": nanoseconds(start.schedule_to_close_timeout),
        "StartToCloseTimeout": nanoseconds(start.start_to_close_timeout),
        "ScheduledTime": time_text(start.scheduled_time),
        "StartedTime": time_text(start.started_time),
        "Deadline": _deadline(start),
        "Attempt": start.attempt,
        "IsLocalActivity": start.is_local,
        "Priority": priority_json(start.priority),
        "RetryPolicy": retry_policy_json(start.retry_policy) if start.HasField("retry_policy") else None,
    }


def _deadline(start: Start) -> str:
    """When the attempt, or the whole activity, times out: the earlier."""
    times = []
    for time, limit in (
        (start.started_time, start.start_to_close_timeout),
        (start.scheduled_time, start.schedule_to_close_timeout),
    ):
        if limit.seconds or limit.nanos:
            times.append(time.ToDatetime() + timedelta(seconds=limit.seconds, microseconds=limit.nanos // 1000))
    if not times:
        return NO_TIME
    deadline = Timestamp()
    deadline.FromDatetime(min(times))
    return time_text(deadline)


def headers_of(fields: Mapping[str, Payload]) -> dict[str, Payload] | None:
    """The header of a message; ``None`` if it is empty."""
    return dict(fields) or None
