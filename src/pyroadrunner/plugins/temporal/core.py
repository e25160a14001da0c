"""The engine: the bridge of ``temporalio`` to sdk-core. The only module that imports private parts of that package.

The bridge may change with every release, so ``pyproject.toml`` has an upper bound, and ``tests/unit/plugins/temporal/
test_core.py`` says what has changed. A settings class may gain fields with a release: fields that a release does not
have are left out, and one that we do not know is an error at the start (:class:`UnknownSetting`).

Theory of operation: a :class:`Runtime` has the engine's threads. A :class:`Client` is a connection. A
:class:`CoreWorker` polls one task queue; it keeps the histories of cached runs, replays them, and turns them into
activations (what has happened) for which it expects completions (what the workflow does next).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import temporalio.bridge.client as bridge_client
import temporalio.bridge.worker as bridge_worker
import temporalio.runtime
from google.protobuf.message import Message as ProtobufMessage
from temporalio.bridge.proto import ActivityHeartbeat, ActivityTaskCompletion
from temporalio.bridge.proto.activity_result import ActivityExecutionResult, ActivityResolution
from temporalio.bridge.proto.activity_task import ActivityCancellationDetails, ActivityTask, Start
from temporalio.bridge.proto.child_workflow import (
    ChildWorkflowCancellationType,
    ChildWorkflowResult,
    StartChildWorkflowExecutionFailedCause,
)
from temporalio.bridge.proto.common import NamespacedWorkflowExecution
from temporalio.bridge.proto.workflow_activation import (
    DoUpdate,
    FireTimer,
    InitializeWorkflow,
    QueryWorkflow,
    RemoveFromCache,
    ResolveActivity,
    ResolveChildWorkflowExecution,
    ResolveChildWorkflowExecutionStart,
    ResolveRequestCancelExternalWorkflow,
    ResolveSignalExternalWorkflow,
    SignalWorkflow,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import (
    ActivityCancellationType,
    ScheduleActivity,
    ScheduleLocalActivity,
    WorkflowCommand,
)
from temporalio.bridge.proto.workflow_completion import Success, WorkflowActivationCompletion
from temporalio.bridge.temporal_sdk_bridge import (  # type: ignore[import-not-found]  # compiled, without types
    HistoryPusher,
    PollShutdownError,
    RPCError,
)

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.temporal.settings import ClientSettings, Versioning, WorkerSettings

__all__ = [
    "ActivityCancellationDetails",
    "ActivityCancellationType",
    "ActivityExecutionResult",
    "ActivityHeartbeat",
    "ActivityResolution",
    "ActivityTask",
    "ActivityTaskCompletion",
    "ChildWorkflowCancellationType",
    "ChildWorkflowResult",
    "Client",
    "CoreWorker",
    "DoUpdate",
    "FireTimer",
    "HistoryFeed",
    "InitializeWorkflow",
    "LogEntry",
    "MetricUpdate",
    "NamespacedWorkflowExecution",
    "PollShutdownError",
    "QueryWorkflow",
    "RPCError",
    "RemoveFromCache",
    "ResolveActivity",
    "ResolveChildWorkflowExecution",
    "ResolveChildWorkflowExecutionStart",
    "ResolveRequestCancelExternalWorkflow",
    "ResolveSignalExternalWorkflow",
    "Runtime",
    "ScheduleActivity",
    "ScheduleLocalActivity",
    "SignalWorkflow",
    "Start",
    "StartChildWorkflowExecutionFailedCause",
    "Success",
    "UnknownSetting",
    "WorkflowActivation",
    "WorkflowActivationCompletion",
    "WorkflowActivationJob",
    "WorkflowCommand",
]

CLIENT_NAME = "temporal-php-2"  # what RoadRunner's plugin sends; the server knows features by it
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error"}
_Response = TypeVar("_Response", bound=ProtobufMessage)
_Settings = TypeVar("_Settings")


class UnknownSetting(RoadRunnerError):
    """The installed release of ``temporalio`` has settings without a default that this version does not know."""

    def __init__(self, owner: str, names: Sequence[str]) -> None:
        super().__init__(
            f"this release of the Python package temporalio is too new: {owner} has unknown settings "
            f"{', '.join(names)}; install an older one: pip install 'pyroadrunner[temporal]'"
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of the engine's log."""

    level: str
    message: str
    fields: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricUpdate:
    """A new value of a metric.

    Attributes:
        kind: 0 = counter (the value is added), 1 = gauge, 2 = histogram.
    """

    name: str
    kind: int
    value: float
    attributes: Mapping[str, Any]


class _Forwarding:
    """Passes the engine's log to the event loop. Called in its threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, write: Callable[[LogEntry], None]) -> None:
        self._loop = loop
        self._write = write

    def _on_logs(self, logs: Sequence[Any]) -> None:
        for line in logs:
            entry = LogEntry(level=_LEVELS.get(line.level, "debug"), message=line.message, fields=dict(line.fields))
            try:
                self._loop.call_soon_threadsafe(self._write, entry)
            except RuntimeError:  # the loop is closed: the server has stopped
                return


class Runtime:
    """The engine's threads, log and metrics.

    Args:
        write: gets the lines of the engine's log, on the event loop.
        prometheus: address of an HTTP server with ``/metrics``; empty = none.
        buffer: collect metrics for :meth:`metrics`; how many records to keep.
        prefix: of metrics.
    """

    def __init__(
        self,
        write: Callable[[LogEntry], None],
        *,
        level: str = "WARN",
        prometheus: str = "",
        buffer: int = 0,
        prefix: str = "temporal_",
    ) -> None:
        forwarding: Any = _Forwarding(asyncio.get_running_loop(), write)
        self._buffer: temporalio.runtime.MetricBuffer | None = None
        metrics: temporalio.runtime.PrometheusConfig | temporalio.runtime.MetricBuffer | None = None
        if prometheus:
            metrics = temporalio.runtime.PrometheusConfig(bind_address=prometheus, durations_as_seconds=True)
        elif buffer:
            metrics = self._buffer = temporalio.runtime.MetricBuffer(buffer)
        telemetry = temporalio.runtime.TelemetryConfig(
            logging=temporalio.runtime.LoggingConfig(
                filter=temporalio.runtime.TelemetryFilter(core_level=level, other_level="ERROR"), forwarding=forwarding
            ),
            metrics=metrics,
            metric_prefix=prefix,
        )
        self._runtime = temporalio.runtime.Runtime(telemetry=telemetry, worker_heartbeat_interval=None)

    @property
    def bridge(self) -> Any:
        """For the other classes of this module."""
        return self._runtime._core_runtime

    def gauge(self, name: str, description: str) -> Callable[[int], None]:
        """A gauge among the engine's metrics: returns the function that sets it."""
        return self._runtime.metric_meter.create_gauge(name, description).set

    def metrics(self) -> Iterator[MetricUpdate]:
        """The updates since the last call; none without a buffer."""
        for update in self._buffer.retrieve_updates() if self._buffer is not None else ():
            yield MetricUpdate(
                name=update.metric.name, kind=int(update.metric.kind), value=update.value, attributes=update.attributes
            )


def _settings(kind: Callable[..., _Settings], values: Mapping[str, Any]) -> _Settings:
    """An instance of a settings class of the bridge, with the fields that this release has."""
    fields: Any = dataclasses.fields(kind)  # type: ignore[arg-type]
    unknown = [
        field.name
        for field in fields
        if field.name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if unknown:
        raise UnknownSetting(getattr(kind, "__name__", "?"), unknown)
    known = {field.name for field in fields}
    return kind(**{name: value for name, value in values.items() if name in known})


class Client:
    """A connection to the server, shared by the workers of all task queues."""

    def __init__(self, client: bridge_client.Client) -> None:
        self.bridge = client

    @staticmethod
    async def connect(runtime: Runtime, settings: ClientSettings) -> Client:
        """Connect.

        Raises:
            RuntimeError: the server can't be reached, or refuses.
        """
        tls = settings.tls
        config = _settings(
            bridge_client.ClientConfig,
            {
                "target_url": f"{'https' if tls else 'http'}://{settings.address}",
                "metadata": {},
                "api_key": settings.api_key,
                "identity": settings.identity,
                "tls_config": tls
                and _settings(
                    bridge_client.ClientTlsConfig,
                    {
                        "server_root_ca_cert": tls.root_ca,
                        "domain": tls.server_name,
                        "client_cert": tls.cert,
                        "client_private_key": tls.key,
                        "verification_server_name": None,
                    },
                ),
                # A server may be away for minutes: results wait for it.
                "retry_config": _settings(
                    bridge_client.ClientRetryConfig,
                    {
                        "initial_interval_millis": 100,
                        "randomization_factor": 0.2,
                        "multiplier": 1.5,
                        "max_interval_millis": 2000,
                        "max_elapsed_time_millis": 600_000,
                        "max_retries": 0,
                    },
                ),
                "keep_alive_config": _settings(
                    bridge_client.ClientKeepAliveConfig, {"interval_millis": 30_000, "timeout_millis": 15_000}
                ),
                "client_name": CLIENT_NAME,
                "client_version": settings.version,
                "http_connect_proxy_config": None,
                "dns_load_balancing_config": None,
                "grpc_compression": "none",
                "payloads_warn_size": 512 * 1024,
                "memo_warn_size": 2 * 1024,
                "connect_timeout_millis": 10_000,
            },
        )
        return Client(await bridge_client.Client.connect(runtime.bridge, config))

    def update_api_key(self, key: str) -> None:
        """Use another key for all later calls."""
        self.bridge.update_api_key(key)

    async def call(
        self, rpc: str, request: ProtobufMessage, response: type[_Response], *, timeout: float = 60.0
    ) -> _Response:
        """Call a method of the server's ``WorkflowService``.

        Raises:
            RPCError: it was refused, or the server can't be reached.
        """
        return await self.bridge.call(
            service="workflow",
            rpc=rpc,
            req=request,
            resp_type=response,
            retry=False,
            metadata={},
            timeout=timedelta(seconds=timeout),
        )


def _versioning(settings: Versioning) -> Any:
    if settings.deployment:
        version = bridge_worker.WorkerDeploymentVersion(settings.deployment, settings.build_id)
        return bridge_worker.WorkerDeploymentOptions(version, settings.used, settings.default_behavior)
    if settings.used:
        return bridge_worker.WorkerVersioningStrategyLegacyBuildIdBased(settings.build_id)
    return bridge_worker.WorkerVersioningStrategyNone(settings.build_id)


def _worker_config(settings: WorkerSettings) -> Any:
    fixed, pollers = bridge_worker.FixedSizeSlotSupplier, bridge_worker.PollerBehaviorSimpleMaximum
    return _settings(
        bridge_worker.WorkerConfig,
        {
            "namespace": settings.namespace,
            "task_queue": settings.task_queue,
            "versioning_strategy": _versioning(settings.versioning),
            "identity_override": settings.identity,
            "max_cached_workflows": settings.cached_runs,
            "tuner": bridge_worker.TunerHolder(
                fixed(settings.workflow_slots),
                fixed(settings.activity_slots),
                fixed(settings.local_activity_slots),
                fixed(1),
            ),
            "workflow_task_poller_behavior": pollers(settings.workflow_pollers),
            "nonsticky_to_sticky_poll_ratio": 0.2,
            "activity_task_poller_behavior": pollers(settings.activity_pollers),
            "no_remote_activities": not settings.activities,
            "task_types": _settings(
                bridge_worker.WorkerTaskTypes,
                {
                    "enable_workflows": settings.workflows,
                    "enable_local_activities": settings.workflows and settings.local_activities,
                    "enable_remote_activities": settings.activities,
                    "enable_nexus": False,
                },
            ),
            "sticky_queue_schedule_to_start_timeout_millis": round(settings.sticky_timeout * 1000),
            "max_heartbeat_throttle_interval_millis": round(settings.max_heartbeat_interval * 1000),
            "default_heartbeat_throttle_interval_millis": round(settings.heartbeat_interval * 1000),
            "max_activities_per_second": settings.activities_per_second,
            "max_task_queue_activities_per_second": settings.task_queue_activities_per_second,
            "max_eager_activity_reservations_per_workflow_task": settings.eager_activities,
            "graceful_shutdown_period_millis": 0,
            "nondeterminism_as_workflow_fail": settings.fail_on_nondeterminism,
            "nondeterminism_as_workflow_fail_for_types": set(),
            "nexus_task_poller_behavior": pollers(1),
            "plugins": [],
            "storage_drivers": set(),
            "disable_payload_error_limit": True,
        },
    )


class HistoryFeed:
    """Gives histories to a worker that replays."""

    def __init__(self, pusher: HistoryPusher) -> None:
        self._pusher = pusher

    async def push(self, workflow_id: str, history: bytes) -> None:
        """Add a history (a serialized ``temporal.api.history.v1.History``)."""
        await self._pusher.push_history(workflow_id, history)

    def close(self) -> None:
        """No more histories: the worker ends after the last one."""
        self._pusher.close()


class CoreWorker:
    """The engine's worker for a task queue. Its polls raise :class:`PollShutdownError` when it has shut down."""

    def __init__(self, worker: bridge_worker.Worker) -> None:
        self._worker = worker
        self.poll_workflows = worker.poll_workflow_activation
        self.poll_activities = worker.poll_activity_task
        self.complete_workflow = worker.complete_workflow_activation
        self.complete_activity = worker.complete_activity_task
        self.evict = worker.request_workflow_eviction
        self.initiate_shutdown = worker.initiate_shutdown
        self.finalize_shutdown = worker.finalize_shutdown

    @staticmethod
    def create(client: Client, settings: WorkerSettings) -> CoreWorker:
        """A worker; it polls with the first call of a poll method."""
        return CoreWorker(bridge_worker.Worker.create(client.bridge, _worker_config(settings)))

    @staticmethod
    def for_replay(runtime: Runtime, settings: WorkerSettings) -> tuple[CoreWorker, HistoryFeed]:
        """A worker without a server, for given histories."""
        worker, pusher = bridge_worker.Worker.for_replay(runtime.bridge, _worker_config(settings))
        return CoreWorker(worker), HistoryFeed(pusher)

    async def validate(self) -> None:
        """Check that the server knows the namespace.

        Raises:
            RuntimeError: it does not, or can't be reached.
        """
        await self._worker.validate()

    def heartbeat(self, token: bytes, details: Sequence[Any]) -> None:
        """Record progress of an activity; sent to the server at intervals."""
        self._worker.record_activity_heartbeat(ActivityHeartbeat(task_token=token, details=details))
