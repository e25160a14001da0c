"""What PHP says about its task queues."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyroadrunner.plugins.temporal.errors import BadWorkerInfo
from pyroadrunner.plugins.temporal.failures import application
from pyroadrunner.plugins.temporal.worker_info import WorkerInfo, read_worker_info, worker_settings
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message


def described(**changes: Any) -> WorkerInfo:
    info = {
        "TaskQueue": "q",
        "Options": {"MaxConcurrentWorkflowTaskPollers": 5, "Identity": ""},
        "Workflows": [{"name": "W", "queries": ["a"], "signals": [], "versioning_behavior": 1}],
        "Activities": [{"Name": "A"}],
        "PhpSdkVersion": "2.18.0",
        "Flags": {"ApiKey": "k"},
    } | changes
    return read_worker_info([Message(payloads={"payloads": [{"data": json.dumps(info).encode()}]})])[0]


def test_a_task_queue_is_described() -> None:
    info = described()
    assert (info.task_queue, info.activities, info.behaviors()) == ("q", ["A"], {"W": 1})
    assert (info.client_version, info.api_key, info.fails_on_panic) == ("2.18.0", "k", False)


def test_the_case_of_keys_does_not_matter_and_absent_ones_have_defaults() -> None:
    [info] = read_worker_info([Message(payloads={"payloads": [{"data": b'{"taskqueue":"","OPTIONS":null}'}]})])
    assert (info.task_queue, info.options, info.client_version) == ("default", {}, "2.5.0")


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "in 0 messages"),
        ([Message(failure=application("no", "T"))], "can't describe its task queues: no"),
        ([Message()], "has no task queues"),
        ([Message(payloads={"payloads": [{"data": b"{"}]})], "is invalid"),
        ([Message(payloads={"payloads": [{"data": b'{"Workflows":[{}]}'}]})], "KeyError: 'name'"),
    ],
)
def test_a_worker_without_task_queues_can_t_be_used(messages: list[Message], text: str) -> None:
    with pytest.raises(BadWorkerInfo, match=text):
        read_worker_info(messages)


def test_options_become_settings_and_zero_means_the_default() -> None:
    settings = worker_settings(described(), namespace="ns", cached_runs=7, activities=True)
    assert (settings.workflow_pollers, settings.activity_pollers, settings.workflow_slots) == (5, 2, 1000)
    assert settings.identity.startswith("roadrunner:q:")
    assert (settings.workflows, settings.activities, settings.cached_runs) == (True, True, 7)
    options = {
        "MaxConcurrentActivityExecutionSize": 3,
        "WorkerActivitiesPerSecond": 0,
        "TaskQueueActivitiesPerSecond": 2.5,
        "StickyScheduleToStartTimeout": 2_000_000_000,
        "WorkflowPanicPolicy": 1,
        "DisableEagerActivities": True,
        "MaxConcurrentWorkflowTaskPollers": 1,
        "DeploymentOptions": {
            "UseVersioning": True,
            "Version": {"DeploymentName": "d", "BuildId": "b"},
            "DefaultVersioningBehavior": 2,
        },
    }
    settings = worker_settings(described(Options=options), namespace="ns", cached_runs=7, activities=False)
    assert (settings.activity_slots, settings.activities_per_second) == (3, None)
    assert settings.task_queue_activities_per_second == 2.5
    assert (settings.sticky_timeout, settings.fail_on_nondeterminism) == (2.0, True)
    assert (settings.eager_activities, settings.workflow_pollers, settings.activities) == (0, 2, False)
    assert (settings.versioning.deployment, settings.versioning.build_id) == ("d", "b")
    assert (settings.versioning.used, settings.versioning.default_behavior) == (True, 2)


def test_a_build_id_alone_is_the_old_versioning() -> None:
    info = described(Options={"BuildID": "b", "UseBuildIDForVersioning": True})
    settings = worker_settings(info, namespace="ns", cached_runs=1, activities=True)
    assert (settings.versioning.build_id, settings.versioning.used, settings.versioning.deployment) == ("b", True, "")


def test_a_queue_without_workflows_keeps_no_runs() -> None:
    settings = worker_settings(described(Workflows=[]), namespace="ns", cached_runs=7, activities=True)
    assert (settings.workflows, settings.local_activities, settings.cached_runs) == (False, False, 0)
