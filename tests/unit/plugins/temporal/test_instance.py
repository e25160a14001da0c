"""A run: activations go in, frames for PHP and commands for Temporal come out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from pyroadrunner.plugins.temporal.core import Success, WorkflowActivation, WorkflowActivationJob
from pyroadrunner.plugins.temporal.envelope import command, read
from pyroadrunner.plugins.temporal.failures import TaskFailed, application, canceled
from pyroadrunner.plugins.temporal.instance import Outgoing, activate, destroy
from pyroadrunner.plugins.temporal.run import Rules, Run
from pyroadrunner.plugins.temporal.values import json_payload
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message

FIRST = 1_700_000_000_000_000  # as PHP's ids


class Php:
    """Answers the frames of a run with scripted commands.

    Attributes:
        frames: what it got: the messages of each frame.
        contexts: of each frame.
    """

    def __init__(self, **rules: Any) -> None:
        self._ids = itertools.count(1)
        self._php_ids = itertools.count(FIRST)
        self.run = Run(
            "run-1",
            Rules(task_queue="q", namespace="ns", next_id=lambda: next(self._ids), behaviors={"Type": 1}, **rules),
        )
        self.frames: list[Sequence[Message]] = []
        self.contexts: list[dict[str, Any]] = []

    def says(self, name: str, options: dict[str, Any], *values: Any, **message: Any) -> Message:
        found = command(next(self._php_ids), name, options, [json_payload(value) for value in values])
        if "failure" in message:
            found.failure.CopyFrom(message["failure"])
        return found

    def activate(
        self,
        *jobs: WorkflowActivationJob,
        answers: Sequence[Sequence[Message]] = (),
        length: int = 3,
        replaying: bool = False,
    ) -> Success:
        activation = WorkflowActivation(run_id="run-1", history_length=length, is_replaying=replaying, jobs=jobs)
        exchange = activate(self.run, activation)
        script = iter(answers)
        try:
            frame = next(exchange)
            while True:
                self._keep(frame)
                frame = exchange.send(next(script, ()))
        except StopIteration as end:
            found: Success = end.value.successful
            return found

    def _keep(self, frame: Outgoing) -> None:
        self.frames.append(read(frame.body))
        self.contexts.append(json.loads(frame.context))

    def names(self) -> list[list[str]]:
        return [[message.command for message in frame] for frame in self.frames]


def started(**fields: Any) -> WorkflowActivationJob:
    job = WorkflowActivationJob()
    job.initialize_workflow.workflow_type = fields.get("kind", "Type")
    job.initialize_workflow.workflow_id = "wf"
    job.initialize_workflow.arguments.append(json_payload("in"))
    job.initialize_workflow.workflow_task_timeout.seconds = 10
    return job


def job(**variant: Any) -> WorkflowActivationJob:
    return WorkflowActivationJob(**variant)


def kinds(success: Success) -> list[str]:
    return [one.WhichOneof("variant") or "" for one in success.commands]


def test_a_workflow_starts_and_completes() -> None:
    php = Php()
    success = php.activate(started(), answers=[[php.says("CompleteWorkflow", {}, "out")]])
    [[message]] = php.frames
    assert message.command == "StartWorkflow"
    options = json.loads(message.options)
    assert options["info"]["WorkflowExecution"] == {"ID": "wf", "RunID": "run-1"}
    assert options["info"]["TaskQueueName"] == "q"
    assert php.contexts[0] == {
        "taskQueue": "q",
        "tickTime": "1970-01-01T00:00:00Z",
        "rr_id": php.run.rr_id,
        "continue_as_new_suggested": False,
        "history_length": 3,
    }
    assert message.run_id == php.run.rr_id
    assert kinds(success) == ["complete_workflow_execution"]
    assert success.commands[0].complete_workflow_execution.result.data == b'"out"'
    assert success.versioning_behavior == 1
    assert php.run.ended


def test_signals_come_before_results_and_updates_at_last() -> None:
    php = Php()
    php.activate(started(), answers=[[php.says("NewTimer", {"ms": 1000})]])
    php.activate(
        job(do_update={"id": "u", "protocol_instance_id": "p", "name": "up", "run_validator": True}),
        job(signal_workflow={"signal_name": "s"}),
        job(fire_timer={"seq": 5}),
        length=8,
    )
    assert [message.command for message in php.frames[1]] == ["InvokeSignal", "", "InvokeUpdate"]
    assert php.frames[1][1].id == FIRST


def test_an_answer_that_php_needs_now_is_a_frame_of_its_own() -> None:
    php = Php()
    success = php.activate(
        started(),
        answers=[
            [
                php.says("GetVersion", {"changeID": "c", "minSupported": -1, "maxSupported": 2}),
                php.says("NewTimer", {"ms": 0}),
            ],
            [php.says("ExecuteActivity", {"name": "a", "options": {"StartToCloseTimeout": 1}})],
        ],
    )
    assert php.names() == [["StartWorkflow"], [""], [""]]
    assert php.frames[1][0].payloads.payloads[0].data == b"2"
    assert kinds(success) == ["set_patch_marker", "schedule_activity"]
    assert success.commands[0].set_patch_marker.patch_id == "c-2"
    assert success.commands[0].set_patch_marker.deprecated
    assert success.commands[1].schedule_activity.activity_id == "5", "markers do not shift ids"


def test_a_canceled_timer_and_activity_are_answered_at_once_and_later_words_ignored() -> None:
    php = Php()
    timer, activity = php.says("NewTimer", {"ms": 5}), php.says("ExecuteActivity", {"name": "a"})
    cancel = php.says("Cancel", {"ids": [timer.id, activity.id, 7]})
    success = php.activate(started(), answers=[[timer, activity, cancel]])
    assert kinds(success) == ["start_timer", "schedule_activity", "cancel_timer", "request_cancel_activity"]
    assert [message.id for message in php.frames[1]] == [timer.id, activity.id, cancel.id]
    assert all(message.failure == canceled() for message in php.frames[1][:2])
    later = job(resolve_activity={"seq": 6, "result": {"cancelled": {"failure": canceled()}}})
    php.activate(later, length=8)
    assert len(php.frames) == 2


def test_an_activity_that_waits_for_its_cancellation_is_answered_when_it_is_over() -> None:
    php = Php()
    activity = php.says("ExecuteActivity", {"name": "a", "options": {"WaitForCancellation": True}})
    php.activate(started(), answers=[[activity, php.says("Cancel", {"ids": [activity.id]})]])
    assert [message.id for message in php.frames[1]] == [activity.id + 1]
    php.activate(job(resolve_activity={"seq": 5, "result": {"cancelled": {"failure": canceled()}}}), length=8)
    assert php.frames[2][0].id == activity.id


def test_a_local_activity_gets_a_policy_and_waits_in_a_timer() -> None:
    php = Php()
    local = php.says("ExecuteLocalActivity", {"name": "a", "options": {}}, "x")
    success = php.activate(started(), answers=[[local]])
    scheduled = success.commands[0].schedule_local_activity
    assert (scheduled.seq, scheduled.activity_id, scheduled.attempt) == (1, "1", 1)
    assert scheduled.retry_policy.maximum_attempts == 1
    assert scheduled.schedule_to_close_timeout.seconds == 60
    assert scheduled.local_retry_threshold.seconds == 10
    backoff = {"attempt": 2, "backoff_duration": {"seconds": 30}, "original_schedule_time": {"seconds": 9}}
    success = php.activate(job(resolve_activity={"seq": 1, "is_local": True, "result": {"backoff": backoff}}))
    assert kinds(success) == ["start_timer"]
    success = php.activate(job(fire_timer={"seq": success.commands[0].start_timer.seq}), length=8)
    again = success.commands[0].schedule_local_activity
    assert (again.attempt, again.original_schedule_time.seconds, again.arguments[0].data) == (2, 9, b'"x"')
    php.activate(
        job(
            resolve_activity={
                "seq": again.seq,
                "is_local": True,
                "result": {"completed": {"result": json_payload("y")}},
            }
        ),
        length=8,
    )
    assert php.frames[-1][0].id == local.id


def test_side_effects_of_a_replay_are_placeholders_until_one_has_no_value() -> None:
    php = Php()
    success = php.activate(started(), answers=[[php.says("SideEffect", {}, None)]], replaying=True)
    assert php.contexts[0]["replay"] is True
    [placeholder] = success.commands[0].schedule_local_activity.arguments
    assert placeholder.metadata["encoding"] == b"rr/placeholder"
    failure = application("3", "rr.SideEffectWithoutValue", non_retryable=True)
    with pytest.raises(TaskFailed) as failed:
        php.activate(job(resolve_activity={"seq": 1, "is_local": True, "result": {"failed": {"failure": failure}}}))
    assert failed.value.retry
    again = Php(reevaluations=php.run.rules.reevaluations)
    success = again.activate(started(), answers=[[again.says("SideEffect", {}, "v")]], replaying=True)
    assert "replay" not in again.contexts[0]
    assert success.commands[0].schedule_local_activity.arguments[0].data == b'"v"'


def test_a_child_answers_its_result_and_the_questions_for_its_start() -> None:
    php = Php()
    child = php.says("ExecuteChildWorkflow", {"name": "Child", "options": {}})
    early = php.says("GetChildWorkflowExecution", {"id": child.id})
    success = php.activate(started(), answers=[[child, early]])
    assert success.commands[0].start_child_workflow_execution.workflow_id == "run-1_1"
    late = php.says("GetChildWorkflowExecution", {"id": child.id})
    php.activate(
        job(resolve_child_workflow_execution_start={"seq": 5, "succeeded": {"run_id": "r"}}), length=8, answers=[[late]]
    )
    assert [message.id for message in php.frames[1]] == [early.id]
    assert json.loads(php.frames[1][0].payloads.payloads[0].data) == {"ID": "run-1_1", "RunID": "r"}
    assert [message.id for message in php.frames[2]] == [late.id]
    php.activate(job(resolve_child_workflow_execution={"seq": 5, "result": {"completed": {}}}), length=13)
    assert php.frames[3][0].id == child.id


def test_updates_are_accepted_refused_and_completed() -> None:
    php = Php()
    php.activate(started())
    refused = php.says("UpdateValidated", {"id": "no"}, failure=application("no", "T"))
    success = php.activate(
        job(do_update={"id": "u", "protocol_instance_id": "p1", "name": "up"}),
        job(do_update={"id": "no", "protocol_instance_id": "p2", "name": "up", "run_validator": True}),
        answers=[
            [
                php.says("UpdateValidated", {"id": "u"}),
                refused,
                php.says("NewTimer", {"ms": 5}),
                php.says("UpdateCompleted", {"id": "u"}, 1),
            ]
        ],
        length=8,
    )
    assert [json.loads(message.options).get("replay") for message in php.frames[1]] == [True, None]
    responses = [one.update_response for one in success.commands if one.HasField("update_response")]
    assert [(one.protocol_instance_id, one.WhichOneof("response")) for one in responses] == [
        ("p1", "accepted"),
        ("p2", "rejected"),
        ("p1", "completed"),
    ]
    assert success.commands[2].start_timer.seq == 11, "the refused update is not counted"
    with pytest.raises(TaskFailed, match="no such update"):
        php.activate(job(fire_timer={"seq": 11}), answers=[[php.says("UpdateCompleted", {"id": "u"})]], length=13)


def test_a_query_is_a_frame_of_its_own() -> None:
    php = Php()
    php.activate(started())
    query = job(query_workflow={"query_id": "legacy", "query_type": "q", "arguments": [json_payload(1)]})
    success = php.activate(query, answers=[[Message(payloads={"payloads": [json_payload(2)]})]])
    assert php.names()[1] == ["InvokeQuery"]
    assert success.commands[0].respond_to_query.succeeded.response.data == b"2"
    success = php.activate(query, answers=[[]])
    assert "one answer" in success.commands[0].respond_to_query.failed.message


def test_the_ends_of_a_run() -> None:
    for says, kind in (
        ({"failure": application("m", "T")}, "fail_workflow_execution"),
        ({"failure": canceled()}, "cancel_workflow_execution"),
    ):
        php = Php()
        success = php.activate(started(), answers=[[php.says("CompleteWorkflow", {}, **says)]])
        assert kinds(success) == [kind]
    php = Php()
    options = {"TaskQueueName": "", "WorkflowRunTimeout": 2_000_000_000}
    success = php.activate(started(), answers=[[php.says("ContinueAsNew", {"name": "Type", "options": options}, 1)]])
    continued = success.commands[0].continue_as_new_workflow_execution
    assert (continued.task_queue, continued.workflow_run_timeout.seconds) == ("q", 2)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("Panic", {}, "broken"),
        ("UndefinedResponse", {"message": "x"}, "undefined response: x"),
        ("Magic", {}, "undefined command Magic"),
        ("NewTimer", {}, "the command NewTimer has invalid options: KeyError: 'ms'"),
        ("GetVersion", {"changeID": "c", "minSupported": 3, "maxSupported": 2}, "removed support of version 2"),
    ],
)
def test_broken_code_fails_the_task_or_by_the_panic_policy_the_run(
    name: str, options: dict[str, Any], text: str
) -> None:
    for fails in (False, True):
        php = Php(fail_on_panic=fails)
        said = [[php.says(name, options, failure=application("broken", "Error"))]]
        if not fails:
            with pytest.raises(TaskFailed, match=text):
                php.activate(started(), answers=said)
            continue
        success = php.activate(started(), answers=said)
        assert kinds(success) == ["fail_workflow_execution"]
        assert text in success.commands[0].fail_workflow_execution.failure.cause.message


def test_a_workflow_that_php_can_t_start_fails_the_task_whatever_the_policy() -> None:
    php = Php(fail_on_panic=True)
    with pytest.raises(TaskFailed, match=r"unable to find workflow type: Other\. Supported types: \[Type\]"):
        php.activate(started(kind="Other"))
    with pytest.raises(TaskFailed, match="no constructor"):
        php.activate(started(), answers=[[Message(failure=application("no constructor", "T"))]])


def test_php_is_told_to_forget_a_run() -> None:
    php = Php()
    php.activate(started())
    [message] = read(destroy(php.run).body)
    assert (message.command, message.run_id) == ("DestroyWorkflow", php.run.rr_id)


def test_headers_and_payloads_pass_unchanged() -> None:
    php = Php()
    start = started()
    odd = Payload(metadata={"encoding": b"\xff", "x": b""}, data=b"\x00\xff")
    start.initialize_workflow.headers["h"].CopyFrom(odd)
    activity = php.says("ExecuteActivity", {"name": "a"})
    activity.payloads.payloads.append(odd)
    activity.header.fields["h"].CopyFrom(odd)
    success = php.activate(start, answers=[[activity]])
    assert php.frames[0][0].header.fields["h"] == odd
    assert success.commands[0].schedule_activity.headers["h"] == odd
    assert success.commands[0].schedule_activity.arguments[0] == odd
