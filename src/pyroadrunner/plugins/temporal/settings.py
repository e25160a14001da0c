"""Settings of the engine, as this plugin sees them. ``core.py`` turns them into those of the bridge. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """A connection.

    Attributes:
        tls: ``None`` = plain text.
    """

    address: str
    identity: str
    version: str
    api_key: str | None = None
    tls: TlsSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Contents of PEM files; ``None`` = the system's, or none."""

    root_ca: bytes | None = None
    server_name: str | None = None
    cert: bytes | None = None
    key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioning:
    """A worker's version: a deployment with a build id, or (the old form) a build id alone.

    Attributes:
        used: whether tasks are routed by it.
        default_behavior: of workflow types that name none: 0, 1 (pinned) or 2 (auto-upgrade).
    """

    deployment: str = ""
    build_id: str = ""
    used: bool = False
    default_behavior: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker polls and how much it takes at the same time.

    Attributes:
        workflows, activities, local_activities: task kinds that it takes.
    """

    namespace: str
    task_queue: str
    identity: str
    cached_runs: int
    versioning: Versioning = Versioning()
    workflows: bool = True
    activities: bool = True
    local_activities: bool = True
    workflow_slots: int = 1000
    activity_slots: int = 1000
    local_activity_slots: int = 1000
    workflow_pollers: int = 2
    activity_pollers: int = 2
    activities_per_second: float | None = None
    task_queue_activities_per_second: float | None = None
    sticky_timeout: float = 5.0
    max_heartbeat_interval: float = 60.0
    heartbeat_interval: float = 30.0
    eager_activities: int = 3
    fail_on_nondeterminism: bool = False
