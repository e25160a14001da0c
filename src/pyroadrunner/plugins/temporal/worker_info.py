"""What PHP says about its task queues (``GetWorkerInfo``), and the settings of the engine's workers. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.plugins.temporal.envelope import decode_json
from pyroadrunner.plugins.temporal.errors import BadWorkerInfo
from pyroadrunner.plugins.temporal.settings import Versioning, WorkerSettings
from pyroadrunner.proto.temporal.v1.protocol_pb2 import Message

_SLOTS = 1000
_POLLERS = 2
_SECOND = 10**9
_CLIENT_VERSION = "2.5.0"  # RoadRunner's, for an SDK that does not tell its own


class WorkflowType(msgspec.Struct, kw_only=True, frozen=True):
    """A workflow that PHP can run.

    Attributes:
        versioning_behavior: 0 = that of the deployment, 1 = pinned, 2 = auto-upgrade.
    """

    name: str
    queries: list[str] = msgspec.field(default_factory=list)
    signals: list[str] = msgspec.field(default_factory=list)
    versioning_behavior: int = 0


class WorkerInfo(msgspec.Struct, kw_only=True, frozen=True):
    """A task queue.

    Attributes:
        options: ``WorkerOptions`` of the SDK, with names in lower case.
    """

    task_queue: str
    options: dict[str, Any]
    workflows: list[WorkflowType]
    activities: list[str]
    sdk_version: str = ""
    api_key: str = ""

    def behaviors(self) -> Mapping[str, int]:
        """The versioning behavior of each workflow type."""
        return {workflow.name: workflow.versioning_behavior for workflow in self.workflows}

    @property
    def client_version(self) -> str:
        return self.sdk_version or _CLIENT_VERSION

    @property
    def fails_on_panic(self) -> bool:
        return bool(self.options.get("workflowpanicpolicy"))


def read_worker_info(messages: Sequence[Message]) -> list[WorkerInfo]:
    """The task queues of PHP's answer.

    Raises:
        BadWorkerInfo: there are none, or the answer is invalid.
    """
    if len(messages) != 1:
        raise BadWorkerInfo(f"PHP described its task queues in {len(messages)} messages instead of one")
    if messages[0].HasField("failure"):
        raise BadWorkerInfo(f"PHP can't describe its task queues: {messages[0].failure.message}")
    found = [_read(payload.data) for payload in messages[0].payloads.payloads]
    if not found:
        raise BadWorkerInfo("the worker has no task queues: call newWorker() before run()")
    return found


def _read(data: bytes) -> WorkerInfo:
    try:
        info = lower(decode_json(data))
        return WorkerInfo(
            task_queue=info.get("taskqueue") or "default",
            options=info.get("options") or {},
            workflows=[
                WorkflowType(
                    name=one["name"],
                    queries=list(one.get("queries") or ()),
                    signals=list(one.get("signals") or ()),
                    versioning_behavior=int(one.get("versioning_behavior") or 0),
                )
                for one in info.get("workflows") or ()
            ],
            activities=[one["name"] for one in info.get("activities") or ()],
            sdk_version=info.get("phpsdkversion") or "",
            api_key=_text((info.get("flags") or {}).get("apikey")),
        )
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise BadWorkerInfo(f"PHP's description of a task queue is invalid: {type(wrong).__name__}: {wrong}") from wrong


def lower(value: Any) -> Any:
    """The value with the keys of all maps in lower case: Go reads them so."""
    if isinstance(value, dict):
        return {str(key).lower(): lower(one) for key, one in value.items()}
    if isinstance(value, list):
        return [lower(one) for one in value]
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def worker_settings(info: WorkerInfo, *, namespace: str, cached_runs: int, activities: bool) -> WorkerSettings:
    """The settings of the engine's worker for a task queue.

    Args:
        activities: whether there are activity workers.
    """
    options = info.options

    def count(name: str, default: int) -> int:
        return int(options.get(name) or default)

    def rate(name: str) -> float | None:
        return float(options.get(name) or 0) or None

    workflows = bool(info.workflows) and not options.get("disableworkflowworker")
    pollers = count("maxconcurrentworkflowtaskpollers", _POLLERS)
    return WorkerSettings(
        namespace=namespace,
        task_queue=info.task_queue,
        identity=options.get("identity") or f"roadrunner:{info.task_queue}:{uuid.uuid4()}",
        cached_runs=cached_runs if workflows else 0,
        versioning=_versioning(options),
        workflows=workflows,
        activities=activities and bool(info.activities) and not options.get("localactivityworkeronly"),
        local_activities=workflows,
        workflow_slots=max(2, count("maxconcurrentworkflowtaskexecutionsize", _SLOTS)),
        activity_slots=count("maxconcurrentactivityexecutionsize", _SLOTS),
        local_activity_slots=count("maxconcurrentlocalactivityexecutionsize", _SLOTS),
        workflow_pollers=max(2, pollers),
        activity_pollers=count("maxconcurrentactivitytaskpollers", _POLLERS),
        activities_per_second=rate("workeractivitiespersecond"),
        task_queue_activities_per_second=rate("taskqueueactivitiespersecond"),
        sticky_timeout=count("stickyscheduletostarttimeout", 5 * _SECOND) / _SECOND,
        max_heartbeat_interval=count("maxheartbeatthrottleinterval", 60 * _SECOND) / _SECOND,
        heartbeat_interval=count("defaultheartbeatthrottleinterval", 30 * _SECOND) / _SECOND,
        eager_activities=0
        if options.get("disableeageractivities")
        else count("maxconcurrenteageractivityexecutionsize", _SLOTS),
        fail_on_nondeterminism=info.fails_on_panic,
    )


def _versioning(options: Mapping[str, Any]) -> Versioning:
    deployment = options.get("deploymentoptions") or {}
    version = deployment.get("version") or {}
    if version.get("deploymentname"):
        return Versioning(
            deployment=version["deploymentname"],
            build_id=version.get("buildid") or "",
            used=bool(deployment.get("useversioning")),
            default_behavior=int(deployment.get("defaultversioningbehavior") or 0),
        )
    return Versioning(build_id=options.get("buildid") or "", used=bool(options.get("usebuildidforversioning")))
