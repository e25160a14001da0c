"""Failures that the server itself makes, and the engine's ones in the words of RoadRunner's engine (Go). Pure."""

from __future__ import annotations

import re

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import RetryState
from temporalio.api.failure.v1 import Failure

SOURCE = "GoSDK"  # PHP treats failures by their source
PANIC_POLICY = "Workflow failed on panic due to FailWorkflow workflow panic policy"

# What the engine says: type and message of RoadRunner's.
_GO_TYPES = {
    "ExternalWorkflowExecutionNotFound": (
        "UnknownExternalWorkflowExecutionError",
        "unknown external workflow execution",
    ),
}


class TaskFailed(Exception):
    """The workflow task fails, or (panic policy *fail*) the run.

    Attributes:
        retry: whatever the policy, the task is tried again.
    """

    def __init__(self, failure: Failure, *, retry: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry = retry


def application(message: str, kind: str, *, non_retryable: bool = False, cause: Failure | None = None) -> Failure:
    """An application failure."""
    failure = Failure(message=message, source=SOURCE)
    failure.application_failure_info.type = kind
    failure.application_failure_info.non_retryable = non_retryable
    if cause is not None:
        failure.cause.CopyFrom(cause)
    return failure


def canceled() -> Failure:
    """A timer or an activity was canceled."""
    failure = Failure(message="canceled", source=SOURCE)
    failure.canceled_failure_info.SetInParent()
    return failure


def panic_of(failure: Failure) -> Failure:
    """The failure of a run whose panic policy is *fail*."""
    cause = application(failure.message, "PanicError", non_retryable=True)
    cause.stack_trace = failure.stack_trace
    if failure.HasField("cause"):
        cause.cause.CopyFrom(failure.cause)
    return application(PANIC_POLICY, "", non_retryable=True, cause=cause)


def child_not_started(workflow_id: str, workflow_type: str, namespace: str, kind: str, message: str) -> Failure:
    """A child workflow could not be started."""
    failure = Failure(message="child workflow execution error", source=SOURCE)
    info = failure.child_workflow_execution_failure_info
    info.namespace = namespace
    info.workflow_execution.workflow_id = workflow_id
    info.workflow_type.name = workflow_type
    info.retry_state = RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    failure.cause.CopyFrom(application(message, kind, non_retryable=True))
    return failure


def translated(failure: Failure) -> Failure:
    """A failure of the engine with the type that RoadRunner's has."""
    said = f"{failure.application_failure_info.type} {failure.message}"
    for text, (kind, message) in _GO_TYPES.items():
        if text in said:
            return application(message, kind)
    return with_info(failure)


def with_info(failure: Failure) -> Failure:
    """The failure; one that says nothing about its kind gets a kind, since PHP refuses those."""
    if failure.WhichOneof("failure_info") is None:
        failure.application_failure_info.SetInParent()
    return failure


def cancellation_details(failure: Failure) -> Payloads | None:
    """The details of the cancellation that caused a failure; ``None`` if none did."""
    while True:
        if failure.HasField("canceled_failure_info"):
            return failure.canceled_failure_info.details
        if not failure.HasField("cause"):
            return None
        failure = failure.cause


def query_failure(failure: Failure) -> Failure:
    """The failure of a query, with RoadRunner's text."""
    text = failure.message
    if failure.HasField("application_failure_info"):
        info = failure.application_failure_info
        text += f" (type: {info.type}, retryable: {'false' if info.non_retryable else 'true'})"
    result = Failure()
    result.CopyFrom(with_info(failure))
    result.message = f"workflow_process_handle_query: {text}"
    return result


_DUMPED = re.compile(r'message: "((?:[^"\\]|\\.)*)"')


def engine_text(text: str) -> str:
    """What the engine says of an eviction: the message alone, without the dump of the failure around it."""
    found = _DUMPED.search(text)
    return found[1].replace('\\"', '"') if found else text


def connection_text(text: str) -> str:
    """What the engine says of a failed connection, without the dump of its errors."""
    found = list(dict.fromkeys(_DUMPED.findall(text)))
    return ": ".join(found) if found else text
