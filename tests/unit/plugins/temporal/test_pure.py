"""Small pure parts: numbers, versions, side effects, values, failures, options."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Priority, RetryPolicy
from temporalio.api.failure.v1 import Failure

from pyroadrunner.plugins.temporal.envelope import answer, command, failed, options_of, read, write
from pyroadrunner.plugins.temporal.errors import BadAnswer
from pyroadrunner.plugins.temporal.failures import (
    application,
    canceled,
    cancellation_details,
    connection_text,
    engine_text,
    panic_of,
    query_failure,
    translated,
    with_info,
)
from pyroadrunner.plugins.temporal.operations import Kind, Operation, Operations
from pyroadrunner.plugins.temporal.search_attributes import typed_payload
from pyroadrunner.plugins.temporal.sequence import Sequence
from pyroadrunner.plugins.temporal.side_effects import Reevaluations, failure_of, missing_value, placeholder
from pyroadrunner.plugins.temporal.values import (
    json_payload,
    nanoseconds,
    payload_map,
    set_duration,
    set_priority,
    set_retry_policy,
    tick,
    time_text,
)
from pyroadrunner.plugins.temporal.versions import Versions
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message


def test_numbers_are_the_ids_of_the_events_to_come() -> None:
    numbers = Sequence()
    numbers.begin(3)
    assert numbers.next() == 5
    numbers.count()
    assert numbers.next() == 6
    numbers.count()
    numbers.begin(3)  # another activation of the same task
    assert numbers.next() == 7
    numbers.begin(20)
    assert numbers.next() == 22
    assert numbers.next() == 23, "a number is never given twice"


def test_local_activities_have_their_own_numbers() -> None:
    numbers = Sequence()
    numbers.begin(3)
    assert [numbers.next_local(), numbers.next_local(), numbers.next()] == [1, 2, 5]


def test_a_version_is_the_newest_at_first_and_stays() -> None:
    versions = Versions()
    assert versions.get("change", 3, replaying=False) == (3, "change-3")
    assert versions.get("change", 5, replaying=False) == (3, "")


def test_a_version_of_the_history_wins() -> None:
    versions = Versions()
    versions.notify("change-2")
    versions.notify("change-x")
    versions.notify("another-9")
    assert versions.get("change", 4, replaying=True) == (2, "change-2")


def test_a_history_without_the_change_has_the_version_before_it() -> None:
    assert Versions().get("change", 4, replaying=True) == (-1, "")


def test_a_placeholder_is_not_executed_and_says_where_the_value_is_missing() -> None:
    failure = failure_of(placeholder(17))
    assert failure is not None
    assert failure.application_failure_info.non_retryable
    wrapped = Failure(message="activity error", cause=failure)
    assert missing_value(wrapped) == 17
    assert failure_of(json_payload(1)) is None
    assert missing_value(application("17", "Other")) is None


def test_reevaluations_are_bounded_and_forgotten() -> None:
    needed = Reevaluations(limit=2)
    for run in ("a", "b", "c"):
        needed.add(run, 3)
    assert not needed.needed("a", 3)
    assert needed.needed("c", 3)
    assert not needed.needed("c", 4)
    needed.forget("c")
    assert not needed.needed("c", 3)


def test_operations_are_found_by_both_ids_and_taken_once() -> None:
    operations = Operations()
    timer = Operation(kind=Kind.TIMER, seq=5, php_id=1_700_000_000_000_001)
    operations.add(timer)
    operations.add(Operation(kind=Kind.ACTIVITY, seq=5, php_id=2))
    assert operations.by_php_id(1_700_000_000_000_001) is timer
    assert operations.take(Kind.TIMER, 5) is timer
    assert operations.take(Kind.TIMER, 5) is None
    assert operations.by_php_id(1_700_000_000_000_001) is None
    assert operations.find(Kind.ACTIVITY, 5) is not None


def test_times_and_durations_are_go_s() -> None:
    assert time_text(Timestamp()) == "0001-01-01T00:00:00Z"
    assert time_text(Timestamp(seconds=1, nanos=5_000_000)) == "1970-01-01T00:00:01.005Z"
    assert tick(Timestamp(seconds=1, nanos=999)) == "1970-01-01T00:00:01Z"
    duration = Duration()
    set_duration(duration, 1_500_000_000)
    assert (duration.seconds, duration.nanos) == (1, 500_000_000)
    assert nanoseconds(duration) == 1_500_000_000


def test_a_retry_policy_is_read_from_the_names_with_underscores() -> None:
    policy = RetryPolicy()
    set_retry_policy(
        policy,
        {
            "initial_interval": {"seconds": 1, "nanos": 2},
            "maximum_interval": None,
            "backoff_coefficient": 2.0,
            "maximum_attempts": 3,
            "non_retryable_error_types": ["A"],
            "MaximumAttempts": 9,
        },
    )
    assert (policy.initial_interval.seconds, policy.initial_interval.nanos) == (1, 2)
    assert not policy.HasField("maximum_interval")
    assert (policy.backoff_coefficient, policy.maximum_attempts) == (2.0, 3)
    assert list(policy.non_retryable_error_types) == ["A"]


def test_a_priority_is_set_where_php_gives_one() -> None:
    priority = Priority()
    set_priority(priority, {"priority_key": 2, "fairness_key": "f", "fairness_weight": 0.5})
    assert (priority.priority_key, priority.fairness_key, priority.fairness_weight) == (2, "f", 0.5)
    untouched = Priority()
    set_priority(untouched, None)
    assert untouched == Priority()


def test_values_of_the_server_are_json_and_null_has_no_data() -> None:
    assert json_payload({"a": 1}).data == b'{"a":1}'
    assert json_payload(None) == Payload(metadata={"encoding": b"binary/null"})
    assert json_payload("x", "Keyword").metadata["type"] == b"Keyword"
    assert payload_map({"k": json_payload(1)}) == {"k": {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}}


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        ("int64", "42", b"42"),
        ("int64", 42, b"42"),
        ("int64", "x", None),
        ("int64", True, None),
        ("float64", 1, b"1.0"),
        ("bool", True, b"true"),
        ("bool", 1, None),
        ("keyword_list", ["a"], b'["a"]'),
        ("keyword_list", [1], None),
        ("datetime", "2026-01-02T03:04:05Z", b'"2026-01-02T03:04:05Z"'),
        ("unknown", 1, None),
        ("string", None, None),
    ],
)
def test_search_attributes_of_the_wrong_type_are_skipped(kind: str, value: object, data: bytes | None) -> None:
    payload = typed_payload("name", {"type": kind, "operation": "set", "value": value})
    assert (payload.data if payload is not None else None) == data


def test_a_search_attribute_is_removed() -> None:
    payload = typed_payload("name", {"type": "bool", "operation": "unset", "value": None})
    assert payload == Payload(metadata={"encoding": b"binary/null", "type": b"Bool"})


def test_failures() -> None:
    assert canceled().HasField("canceled_failure_info")
    assert with_info(Failure(message="m")).HasField("application_failure_info")
    assert translated(application("m", "ExternalWorkflowExecutionNotFound")).application_failure_info.type == (
        "UnknownExternalWorkflowExecutionError"
    )
    assert translated(application("m", "Other")).application_failure_info.type == "Other"
    assert query_failure(application("m", "T")).message == "workflow_process_handle_query: m (type: T, retryable: true)"
    panic = panic_of(application("m", "T"))
    assert panic.application_failure_info.non_retryable
    assert (panic.cause.message, panic.cause.application_failure_info.type) == ("m", "PanicError")


def test_a_cancellation_is_found_in_the_causes() -> None:
    cause = canceled()
    cause.canceled_failure_info.details.payloads.append(json_payload(1))
    details = cancellation_details(Failure(message="activity error", cause=cause))
    assert details is not None
    assert details.payloads[0].data == b"1"
    assert cancellation_details(application("m", "T")) is None


def test_the_text_of_the_engine_is_taken_out_of_its_dump() -> None:
    dump = 'Completion failed: Failure { failure: Some(Failure { message: "[T] a \\"b\\"", source: "" })'
    assert engine_text(dump) == '[T] a "b"'
    assert engine_text("plain") == "plain"
    refused = (
        'Failed: ConnectError("x", 1, Os { code: 111, message: "Connection refused" }) message: "Connection refused"'
    )
    assert connection_text(refused) == "Connection refused"
    assert connection_text("plain") == "plain"


def test_messages_are_written_and_read() -> None:
    sent = [
        command(1, "Do", {"a": 1}, [json_payload(1)], {"h": json_payload(2)}),
        answer(2, [json_payload(3)]),
        failed(3, canceled()),
    ]
    found = read(write(sent))
    assert list(found) == sent
    assert options_of(found[0]) == {"a": 1}
    assert options_of(Message(options=b"[]")) == {}, "PHP's empty array"


def test_bytes_that_are_no_frame_are_the_fault_of_the_worker() -> None:
    with pytest.raises(BadAnswer):
        read(b"\xff\xff")
    with pytest.raises(BadAnswer, match="Do"):
        options_of(Message(command="Do", options=b"{"))
