"""Values in the forms of Go's JSON, which PHP reads, and of protobuf. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Priority, RetryPolicy

from pyroadrunner.plugins.temporal.envelope import encode_json

_BILLION = 10**9
NO_TIME = "0001-01-01T00:00:00Z"  # Go's zero time


def nanoseconds(duration: Duration) -> int:
    """As Go's ``time.Duration`` in JSON."""
    return duration.seconds * _BILLION + duration.nanos


def set_duration(target: Duration, nanos: int | None) -> None:
    """Set a duration from nanoseconds; zero leaves it absent."""
    if nanos:
        target.seconds, target.nanos = divmod(int(nanos), _BILLION)


def time_text(time: Timestamp) -> str:
    """RFC 3339 with all digits of the nanoseconds."""
    return time.ToJsonString() if time.seconds or time.nanos else NO_TIME


def tick(time: Timestamp) -> str:
    """RFC 3339 with whole seconds."""
    return Timestamp(seconds=time.seconds).ToJsonString()


def payload_map(fields: Mapping[str, Payload]) -> dict[str, Any]:
    """Payloads as Go's JSON has them; PHP reads them with protobuf's JSON parser, so bytes are base64."""
    return {
        name: {
            "metadata": {key: base64.b64encode(value).decode() for key, value in payload.metadata.items()},
            "data": base64.b64encode(payload.data).decode(),
        }
        for name, payload in fields.items()
    }


def retry_policy_json(policy: RetryPolicy) -> dict[str, Any]:
    """A policy with the names of the Go SDK."""
    return {
        "InitialInterval": nanoseconds(policy.initial_interval),
        "BackoffCoefficient": policy.backoff_coefficient,
        "MaximumInterval": nanoseconds(policy.maximum_interval),
        "MaximumAttempts": policy.maximum_attempts,
        "NonRetryableErrorTypes": list(policy.non_retryable_error_types),
    }


def set_retry_policy(target: RetryPolicy, policy: Mapping[str, Any]) -> None:
    """Set a policy from PHP's options, which have every field twice: the names with underscores hold the values."""
    target.SetInParent()
    for name in ("initial_interval", "maximum_interval"):
        interval = policy.get(name)
        if interval:
            field: Duration = getattr(target, name)
            field.seconds, field.nanos = int(interval.get("seconds") or 0), int(interval.get("nanos") or 0)
    target.backoff_coefficient = policy.get("backoff_coefficient") or 0
    target.maximum_attempts = policy.get("maximum_attempts") or 0
    target.non_retryable_error_types.extend(policy.get("non_retryable_error_types") or ())


def priority_json(priority: Priority) -> dict[str, Any]:
    """A priority with the names of the Go SDK."""
    return {
        "PriorityKey": priority.priority_key,
        "FairnessKey": priority.fairness_key,
        "FairnessWeight": priority.fairness_weight,
    }


def set_priority(target: Priority, priority: Mapping[str, Any] | None) -> None:
    """Set a priority from PHP's options; without one it stays absent."""
    found = priority or {}
    if found.get("priority_key"):
        target.priority_key = int(found["priority_key"])
    if found.get("fairness_key"):
        target.fairness_key = str(found["fairness_key"])
    if found.get("fairness_weight"):
        target.fairness_weight = float(found["fairness_weight"])


def json_payload(value: Any, kind: str = "") -> Payload:
    """A value that the server itself encodes.

    Args:
        kind: of a search attribute (``Keyword``).
    """
    metadata = {"encoding": b"json/plain"} if value is not None else {"encoding": b"binary/null"}
    if kind:
        metadata["type"] = kind.encode()
    return Payload(metadata=metadata, data=b"" if value is None else encode_json(value))
