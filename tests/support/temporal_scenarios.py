"""What workflows do: each function runs one feature, with any server and any size of the cache."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import RetryPolicy, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.common import SearchAttributeKey as Key
from temporalio.common import SearchAttributePair as Pair
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.exceptions import TimeoutError as TimedOut

from support.temporal import LIMIT, Handle, Runs

Scenario = Callable[[Runs], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


async def names_of_events(runs: Runs, handle: Handle) -> list[str]:
    return [event.WhichOneof("attributes").removesuffix("_event_attributes") for event in await runs.history(handle)]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT):
        while not await condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


async def pending_activity(handle: Handle) -> bool:
    return bool((await handle.describe()).raw_description.pending_activities)


# -- values, activities ------------------------------------------------------------------------------------------------


@scenario
async def values_pass_through(runs: Runs) -> None:
    values = [1, None, "text", {"a": [True, 1.5]}, "ü\n"]
    assert await runs.run("echo", *values) == values


@scenario
async def an_activity_runs(runs: Runs) -> None:
    assert await runs.run("one-activity", "text") == "TEXT"


@scenario
async def activities_run_one_after_the_other(runs: Runs) -> None:
    assert await runs.run("five-activities", "") == "01234"


@scenario
async def activities_run_in_parallel(runs: Runs) -> None:
    assert await runs.run("parallel", 10) == [f"N{number}" for number in range(10)]


@scenario
async def an_activity_is_retried(runs: Runs) -> None:
    assert await runs.run("failing-activity", 3) == [3]


@scenario
async def an_activity_fails_at_last(runs: Runs) -> None:
    failure = await runs.run("failing-activity", 9)
    assert failure["kind"] == "activity"
    cause = failure["cause"]
    assert (cause["kind"], cause["type"], cause["message"]) == ("application", "Flaky", "attempt 3")
    assert cause["details"] == ["test"]


@scenario
async def an_error_that_must_not_be_retried_fails_at_once(runs: Runs) -> None:
    failure = await runs.run("failing-activity", 101)
    assert failure["cause"]["message"] == "attempt 1"


@scenario
async def an_activity_times_out(runs: Runs) -> None:
    failure = await runs.run("activity-timeout")
    assert (failure["kind"], failure["cause"]["kind"]) == ("activity", "timeout")


@scenario
async def an_activity_knows_where_it_runs(runs: Runs) -> None:
    handle = await runs.start("activity", "info")
    info = await runs.result(handle)
    assert info["WorkflowExecution"]["ID"] == handle.id
    assert info["WorkflowType"] == {"Name": "activity"}
    assert info["TaskQueue"] == runs.queue
    assert info["Namespace"] == info["WorkflowNamespace"] == "default"
    assert info["Attempt"] == 1
    assert info["IsLocalActivity"] is False
    assert info["StartToCloseTimeout"] == 20_000_000_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", info["Deadline"])
    assert info["StartedTime"] < info["Deadline"]


@scenario
async def an_activity_of_another_task_queue_runs(runs: Runs) -> None:
    assert await runs.run("two-queues") == ["HERE", "THERE"]


@scenario
async def heartbeat_details_reach_the_next_attempt(runs: Runs) -> None:
    assert await runs.run("heartbeats") == {"attempt": 2, "details": [{"half": True}]}


@scenario
async def a_heartbeat_says_that_the_activity_is_canceled(runs: Runs) -> None:
    handle = await runs.start("cancel-activity", True)
    await until(lambda: pending_activity(handle))
    await handle.cancel()
    failure = await runs.result(handle)
    assert failure["kind"] == "activity"
    assert failure["cause"]["kind"] == "canceled"
    assert isinstance(failure["cause"]["details"][0], int)


@scenario
async def a_workflow_need_not_wait_for_the_cancellation(runs: Runs) -> None:
    handle = await runs.start("cancel-activity", False)
    await until(lambda: pending_activity(handle))
    await handle.cancel()
    assert await runs.result(handle) == {"kind": "canceled", "message": "canceled"}


@scenario
async def stray_output_of_workflows_and_activities_does_no_harm(runs: Runs) -> None:
    assert await runs.run("prints") == "printed"


# -- local activities --------------------------------------------------------------------------------------------------


@scenario
async def a_local_activity_runs(runs: Runs) -> None:
    assert await runs.run("local", "text") == "TEXT"


@scenario
async def local_activities_run_beside_other_commands(runs: Runs) -> None:
    assert await runs.run("local-parallel") == ["A", "B", "slept", None]


@scenario
async def a_local_activity_may_be_longer_than_its_task(runs: Runs) -> None:
    assert await runs.run("slow-local", task_timeout=timedelta(seconds=1)) == ["slept", "AFTER", None]


@scenario
async def a_task_that_only_waits_for_a_local_activity(runs: Runs) -> None:
    assert await runs.run("only-slow-local", task_timeout=timedelta(seconds=1)) == ["slept", "AFTER", None]


@scenario
async def a_local_activity_without_a_policy_is_not_retried(runs: Runs) -> None:
    failure = await runs.run("flaky-local", 2, 0, 10)
    assert (failure["type"], failure["message"]) == ("Flaky", "attempt 1")


@scenario
async def a_local_activity_is_retried(runs: Runs) -> None:
    assert await runs.run("flaky-local", 3, 5, 10) == [3]


@scenario
async def a_local_activity_waits_in_a_timer_for_a_late_attempt(runs: Runs) -> None:
    handle = await runs.start("flaky-local", 2, 3, 1500, task_timeout=timedelta(seconds=1))
    assert await runs.result(handle) == [2]
    assert "timer_fired" in await names_of_events(runs, handle)


# -- timers ------------------------------------------------------------------------------------------------------------


@scenario
async def a_timer_fires(runs: Runs) -> None:
    handle = await runs.start("timer", 50)
    assert await runs.result(handle) == "fired"
    [started] = [event for event in await runs.history(handle) if event.HasField("timer_started_event_attributes")]
    assert started.user_metadata.summary.data == b'"a short wait"'
    assert started.timer_started_event_attributes.timer_id == str(started.event_id), "RoadRunner's id"


@scenario
async def a_timer_of_no_time_fires_without_the_server(runs: Runs) -> None:
    handle = await runs.start("timer", 0)
    assert await runs.result(handle) == "fired"
    assert "timer_started" not in await names_of_events(runs, handle)


@scenario
async def a_timer_is_canceled(runs: Runs) -> None:
    assert await runs.run("canceled-timer") == {"kind": "canceled", "message": "canceled"}


@scenario
async def a_timer_is_canceled_in_the_task_that_started_it(runs: Runs) -> None:
    assert await runs.run("start-and-cancel") == ["canceled", "AFTER"]


@scenario
async def the_length_of_the_history_is_that_of_its_task(runs: Runs) -> None:
    seen = await runs.run("ticks")
    assert [length for length, _ in seen] == [3, 8, 13]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for _, time in seen)


# -- signals, queries, updates -----------------------------------------------------------------------------------------


@scenario
async def signals_arrive_in_order(runs: Runs) -> None:
    handle = await runs.start("signals", 3)
    for value in ("a", "b", "c"):
        await handle.signal("add", value)
    assert await runs.result(handle) == ["A", "B", "C"]


@scenario
async def a_workflow_starts_with_a_signal(runs: Runs) -> None:
    assert await runs.run("signals", 1, start_signal="add", start_signal_args=["first"]) == ["FIRST"]


@scenario
async def queries_are_answered_during_and_after_a_run(runs: Runs) -> None:
    handle = await runs.start("queries")
    assert await handle.query("state") == "waiting"
    assert await handle.query("state", "!") == "waiting!"
    assert await handle.query("__stack_trace") == "in queries"
    for name, text in (("fails", "not now (type: NotNow, retryable: true)"), ("nothing", "unknown queryType nothing")):
        with pytest.raises(WorkflowQueryFailedError, match=f"^workflow_process_handle_query: {re.escape(text)}"):
            await handle.query(name)
    await handle.signal("end")
    assert await runs.result(handle) == "ended"
    assert await handle.query("state") == "ended"


@scenario
async def updates_change_a_run(runs: Runs) -> None:
    handle = await runs.start("updates")
    assert await handle.execute_update("add", "one") == 1
    assert await handle.execute_update("add", "two") == 2
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("add", "bad")
    assert isinstance(refused.value.cause, ApplicationError)
    assert (refused.value.cause.message, refused.value.cause.type) == ("bad name", "Invalid")
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update("fails")
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == "update failed"
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("no-such-update")
    random = await handle.execute_update("slow", "three")
    await handle.signal("end")
    assert await runs.result(handle) == ["one", "two", "THREE", random]


@scenario
async def several_updates_run_at_the_same_time(runs: Runs) -> None:
    handle = await runs.start("updates")
    started = [
        await handle.start_update("slow", f"u{number}", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        for number in range(3)
    ]
    found = [await update.result() for update in started]
    await handle.signal("end")
    names = await runs.result(handle)
    assert sorted(names) == sorted(["U0", "U1", "U2", *found])


@scenario
async def an_update_starts_before_a_refused_one(runs: Runs) -> None:
    """A refused update leaves no trace, so it must not shift the numbers of other commands."""
    handle = await runs.start("updates")

    async def refused() -> None:
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("add", "bad")

    await asyncio.gather(refused(), handle.execute_update("slow", "a"), refused(), handle.execute_update("slow", "b"))
    await handle.signal("end")
    assert len(await runs.result(handle)) == 4


# -- other workflows ---------------------------------------------------------------------------------------------------


@scenario
async def children_run(runs: Runs) -> None:
    handle = await runs.start("child", "text")
    result, execution, other = await runs.result(handle)
    assert (result, other) == ("TEXT", "X")
    assert execution["ID"] == f"{handle.first_execution_run_id}_1"
    described = await runs.client.get_workflow_handle(execution["ID"] + "-named").describe()
    assert await described.memo() == {"k": "v"}


@scenario
async def a_child_fails(runs: Runs) -> None:
    failure = await runs.run("failing-child")
    assert failure["kind"] == "child"
    assert failure["cause"]["type"] == "Bad"
    assert failure["cause"]["details"] == [1, 2]
    assert failure["cause"]["cause"]["message"] == "the cause"


@scenario
async def a_child_with_a_taken_id_is_not_started(runs: Runs) -> None:
    taken = await runs.start("waits")
    started, result = await runs.run("duplicate-child", taken.id)
    assert started == result
    assert started["kind"] == "child"
    assert started["cause"]["type"] == "ChildWorkflowExecutionAlreadyStartedError"
    await taken.signal("end")


@scenario
async def a_child_is_canceled(runs: Runs) -> None:
    failure = await runs.run("cancel-child")
    assert (failure["kind"], failure["cause"]["kind"]) == ("child", "canceled")


@scenario
async def a_child_is_signaled(runs: Runs) -> None:
    assert await runs.run("signal-child") == ["X"]


@scenario
async def an_abandoned_child_outlives_its_parent(runs: Runs) -> None:
    execution = await runs.run("abandoned-child")
    child = runs.client.get_workflow_handle(execution["ID"])
    assert (await child.describe()).status is not None
    await child.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await child.result()
    assert isinstance(ended.value.cause, CancelledError)


@scenario
async def other_workflows_are_signaled_and_canceled(runs: Runs) -> None:
    other = await runs.start("signals", 1)
    assert await runs.run("externals", other.id) == [
        None,
        "UnknownExternalWorkflowExecutionError",
        "UnknownExternalWorkflowExecutionError",
    ]
    assert await runs.result(other) == ["FROM OUTSIDE"]
    waiting = await runs.start("until-canceled")
    await runs.run("cancel-external", waiting.id)
    with pytest.raises(WorkflowFailureError):
        await runs.result(waiting)


# -- the end of runs ---------------------------------------------------------------------------------------------------


@scenario
async def a_canceled_workflow_cleans_up(runs: Runs) -> None:
    handle = await runs.start("until-canceled")
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await runs.result(handle)
    assert isinstance(ended.value.cause, CancelledError)
    assert list(ended.value.cause.details) == ["cleaned up"]


@scenario
async def a_workflow_fails_with_details_and_cause(runs: Runs) -> None:
    with pytest.raises(WorkflowFailureError) as ended:
        await runs.run("fails", "Bad", ["a", {"b": 1}])
    cause = ended.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, list(cause.details)) == ("it failed", "Bad", ["a", {"b": 1}])
    assert isinstance(cause.cause, ApplicationError)
    assert cause.cause.type == "Cause"


@scenario
async def a_failed_workflow_is_retried(runs: Runs) -> None:
    handle = await runs.start(
        "fails", "Bad", [], retry_policy=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=1))
    )
    with pytest.raises(WorkflowFailureError):
        await runs.result(handle)


@scenario
async def a_workflow_continues_as_new(runs: Runs) -> None:
    runs_seen = await runs.run("continues", 2)
    assert len(runs_seen) == 3
    assert runs_seen[0] == ""
    assert len(set(runs_seen)) == 3


@scenario
async def a_cron_workflow_gets_its_last_result(runs: Runs) -> None:
    """Not waited for: the shortest schedule is a minute. Its information is checked."""
    handle = await runs.start("info", cron_schedule="0 0 1 1 *")
    assert (await handle.describe()).raw_description.workflow_execution_info.type.name == "info"
    await handle.terminate()


# -- versions, side effects, attributes --------------------------------------------------------------------------------


@scenario
async def side_effects_are_recorded(runs: Runs) -> None:
    values = await runs.run("side-effects")
    assert [value.upper() for value in values[::2]] == values[1::2]
    assert len(set(values[::2])) == 3


@scenario
async def versions_are_recorded(runs: Runs) -> None:
    handle = await runs.start("versioned")
    assert await runs.result(handle) == [1, 3, 1]
    attributes = (await handle.describe()).search_attributes
    assert sorted(attributes["TemporalChangeVersion"]) == ["a-1", "b-3"]


@scenario
async def code_without_an_old_version_fails_the_task(runs: Runs) -> None:
    handle = await runs.start("too-old")
    assert await runs.until_failed(handle) == "Workflow code is too old to support version 3 for the change a"
    await handle.terminate()


@scenario
async def memo_and_search_attributes_are_set(runs: Runs) -> None:
    handle = await runs.start("memo", memo={"gone": 1, "kept": 2})
    await runs.result(handle)
    described = await handle.describe()
    assert await described.memo() == {"colour": "red", "list": [1, 2], "kept": 2}
    assert described.typed_search_attributes[Key.for_keyword("Word")] == "plain"
    assert described.typed_search_attributes[Key.for_int("Number")] == 42
    assert described.typed_search_attributes.get(Key.for_bool("Flag")) is None
    memos = [
        event for event in await runs.history(handle) if event.HasField("workflow_properties_modified_event_attributes")
    ]
    assert len(memos) == 1


@scenario
async def a_run_knows_itself(runs: Runs) -> None:
    handle = await runs.start(
        "info",
        memo={"m": 1},
        search_attributes=TypedSearchAttributes([Pair(Key.for_keyword("Word"), "w"), Pair(Key.for_int("Number"), 7)]),
        run_timeout=timedelta(seconds=60),
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    found = await runs.result(handle)
    info = found["info"]
    assert info["WorkflowExecution"] == {"ID": handle.id, "RunID": handle.first_execution_run_id}
    assert info["OriginalRunID"] == info["FirstRunID"] == handle.first_execution_run_id
    assert info["TaskQueueName"] == runs.queue
    assert info["WorkflowRunTimeout"] == 60_000_000_000
    assert info["Attempt"] == 1
    assert info["ParentWorkflowExecution"] is None
    assert info["RetryPolicy"] is None
    assert info["Memo"]["fields"]["m"]["data"] == "MQ=="
    assert found["attributes"] == {
        "Word": {"type": "keyword", "value": "w"},
        "Number": {"type": "int64", "value": 7},
    }
    context = found["context"]
    assert context["taskQueue"] == runs.queue
    assert context["continue_as_new_suggested"] is False
    assert context["history_size"] > 100
    assert "replay" not in context


# -- broken code -------------------------------------------------------------------------------------------------------


@scenario
async def an_undefined_response_fails_the_task(runs: Runs) -> None:
    handle = await runs.start("undefined-response")
    assert await runs.until_failed(handle) == "undefined response: no such thing"
    await handle.terminate()


@scenario
async def an_unknown_command_fails_the_task(runs: Runs) -> None:
    handle = await runs.start("unknown-command")
    assert await runs.until_failed(handle) == "undefined command DoMagic"
    await handle.terminate()


@scenario
async def an_unknown_workflow_type_fails_the_task(runs: Runs) -> None:
    handle = await runs.start("no-such-workflow")
    assert (await runs.until_failed(handle)).startswith("unable to find workflow type: no-such-workflow. Supported")
    await handle.terminate()


@scenario
async def a_workflow_times_out(runs: Runs) -> None:
    handle = await runs.start("waits", execution_timeout=timedelta(seconds=1))
    with pytest.raises(WorkflowFailureError) as ended:
        await runs.result(handle)
    assert isinstance(ended.value.cause, TimedOut)


async def play(runs: Runs) -> dict[str, str]:
    """Run all scenarios at the same time; the faults by scenario."""

    async def one(function: Scenario) -> str:
        try:
            async with asyncio.timeout(LIMIT):
                await function(runs)
        except Exception as failed:
            return f"{type(failed).__name__}: {failed}"[:1500]
        return ""

    assert all(map(inspect.iscoroutinefunction, SCENARIOS.values()))
    said = await asyncio.gather(*map(one, SCENARIOS.values()))
    return {name: fault for name, fault in zip(SCENARIOS, said, strict=True) if fault}


def shown(faults: dict[str, Any]) -> str:
    return json.dumps(faults, indent=2)
