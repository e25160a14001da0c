"""What plugins of other packages may import: a list that changes on purpose only."""

from __future__ import annotations

import inspect
import typing

import pytest

from pyroadrunner import contracts

# A name that leaves this list breaks plugins: see the promise in the module's docstring.
STABLE = {
    "BOUNDS",
    "NAMED",
    "POOL_KEYS",
    "Action",
    "AppRequest",
    "AppResponse",
    "BadReply",
    "Cell",
    "Chunk",
    "Codec",
    "Column",
    "Command",
    "Count",
    "Duration",
    "DynamicAllocatorConfig",
    "EffectiveConfig",
    "EmptyPayload",
    "ExecTimeout",
    "Figure",
    "Figures",
    "HandlesRequests",
    "HasAddresses",
    "HasCertificates",
    "HasConnections",
    "HasMetrics",
    "HasPages",
    "HasMonitoringPages",
    "HasPipelines",
    "HasPools",
    "HasProcesses",
    "HasRpc",
    "HasStatus",
    "HasStatusMessage",
    "HasStopHook",
    "HasTask",
    "HttpMount",
    "InterceptsTemporal",
    "Leaf",
    "Lease",
    "LeaseEnded",
    "Log",
    "LogLine",
    "LogSource",
    "MetricFamily",
    "MonitoringPage",
    "MountsOnHttp",
    "NewJob",
    "NoFreeWorker",
    "NoSuchWorker",
    "OnCancel",
    "Page",
    "PageInfo",
    "Partial",
    "PartialDynamicAllocatorConfig",
    "PartialPoolConfig",
    "PartialSupervisorConfig",
    "Payload",
    "PipelineState",
    "Plugin",
    "PoolClosed",
    "PoolConfig",
    "PoolError",
    "PoolEvent",
    "PoolFactory",
    "PoolStats",
    "PreparedReload",
    "PublishesToTopics",
    "PushesJobs",
    "QueueFull",
    "QueuePolicy",
    "Reloadable",
    "Reply",
    "ReplyRule",
    "ReplyStream",
    "ResetBegan",
    "ResetEnded",
    "RoadRunnerError",
    "Row",
    "RpcMethod",
    "Sample",
    "ServedAddress",
    "Span",
    "State",
    "StringList",
    "StringMap",
    "Submission",
    "SupervisorConfig",
    "Table",
    "TemporalCall",
    "TooManyWorkers",
    "Tracing",
    "UnknownAction",
    "WatchesRequests",
    "WorkerCrashed",
    "WorkerError",
    "WorkerFailed",
    "WorkerGone",
    "WorkerInfo",
    "WorkerPool",
    "WorkerReady",
    "WorkerRefused",
    "WorkerStartError",
    "all_serve",
    "destroy_pools",
    "excerpt",
    "has_free_worker",
    "queue_metrics",
    "start_pools",
}


def test_the_list_of_stable_names_is_kept() -> None:
    assert set(contracts.__all__) == STABLE


@pytest.mark.parametrize("name", sorted(STABLE))
def test_each_is_there_and_each_class_and_function_says_what_it_is_for(name: str) -> None:
    value = getattr(contracts, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__


def protocols() -> list[type]:
    found = [getattr(contracts, name) for name in sorted(STABLE)]
    return [one for one in found if getattr(one, "_is_protocol", False)]


# Implemented by the server; no plugin inherits them.
OF_THE_SERVER = {contracts.EffectiveConfig, contracts.ReplyStream, contracts.Span, contracts.WorkerPool}


@pytest.mark.parametrize("protocol", [one for one in protocols() if one not in OF_THE_SERVER])
def test_a_class_that_inherits_a_protocol_has_to_have_its_methods(protocol: type) -> None:
    methods = {name for name in vars(protocol) if not name.startswith("_")}
    assert methods
    assert protocol.__abstractmethods__ == methods  # type: ignore[attr-defined]


@pytest.mark.parametrize("protocol", protocols())
def test_no_protocol_can_be_asked_for_by_names_of_methods(protocol: type) -> None:
    with pytest.raises(TypeError, match="runtime_checkable"):
        isinstance(object(), protocol)


def test_an_event_of_a_pool_is_one_of_the_named() -> None:
    names = {one.__name__ for one in typing.get_args(contracts.PoolEvent)}
    assert names <= STABLE
