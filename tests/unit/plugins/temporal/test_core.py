"""The private parts of ``temporalio`` that the engine uses: this file says what a new release has changed."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import temporalio.bridge.client as bridge_client
import temporalio.bridge.worker as bridge_worker

from pyroadrunner.plugins.temporal import core
from pyroadrunner.plugins.temporal.settings import Versioning, WorkerSettings

SOURCES = Path(inspect.getfile(core)).parents[2]
HERE = f"temporalio {version('temporalio')}: "


def test_one_module_imports_the_bridge() -> None:
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.startswith("temporalio.bridge") for name in names):
                found.add(path.name)
    assert found == {"core.py"}


@pytest.mark.parametrize(
    ("owner", "methods"),
    [
        (
            bridge_worker.Worker,
            {
                "create": ["client", "config"],
                "for_replay": ["runtime", "config"],
                "validate": ["self"],
                "poll_workflow_activation": ["self"],
                "poll_activity_task": ["self"],
                "complete_workflow_activation": ["self", "comp"],
                "complete_activity_task": ["self", "comp"],
                "record_activity_heartbeat": ["self", "comp"],
                "request_workflow_eviction": ["self", "run_id"],
                "initiate_shutdown": ["self"],
                "finalize_shutdown": ["self"],
            },
        ),
        (
            bridge_client.Client,
            {"connect": ["runtime", "config"], "update_api_key": ["self", "api_key"]},
        ),
    ],
)
def test_the_methods_of_the_bridge_are_those_that_are_called(owner: Any, methods: dict[str, list[str]]) -> None:
    for name, parameters in methods.items():
        found = getattr(owner, name, None)
        assert found is not None, f"{HERE}{owner.__name__}.{name} is gone: change plugins/temporal/core.py"
        assert list(inspect.signature(found).parameters) == parameters, (
            f"{HERE}{owner.__name__}.{name} has other parameters: change plugins/temporal/core.py"
        )


KNOWN = {
    bridge_worker.WorkerConfig: """namespace task_queue versioning_strategy identity_override max_cached_workflows tuner
        workflow_task_poller_behavior nonsticky_to_sticky_poll_ratio activity_task_poller_behavior no_remote_activities
        task_types sticky_queue_schedule_to_start_timeout_millis max_heartbeat_throttle_interval_millis
        default_heartbeat_throttle_interval_millis max_activities_per_second max_task_queue_activities_per_second
        max_eager_activity_reservations_per_workflow_task graceful_shutdown_period_millis
        nondeterminism_as_workflow_fail nondeterminism_as_workflow_fail_for_types nexus_task_poller_behavior plugins
        storage_drivers disable_payload_error_limit""",
    bridge_worker.WorkerTaskTypes: "enable_workflows enable_local_activities enable_remote_activities enable_nexus",
    bridge_client.ClientConfig: """target_url metadata api_key identity tls_config retry_config keep_alive_config
        client_name client_version http_connect_proxy_config dns_load_balancing_config grpc_compression
        payloads_warn_size memo_warn_size connect_timeout_millis""",
    bridge_client.ClientTlsConfig: """server_root_ca_cert domain client_cert client_private_key
        verification_server_name""",
    bridge_client.ClientRetryConfig: """initial_interval_millis randomization_factor multiplier max_interval_millis
        max_elapsed_time_millis max_retries""",
    bridge_client.ClientKeepAliveConfig: "interval_millis timeout_millis",
}


@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.__name__)
def test_the_settings_of_the_bridge_are_known(kind: Any) -> None:
    """A release may lack some; it must not have more without a default."""
    required = {field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}
    unknown = required - set(KNOWN[kind].split())
    assert not unknown, (
        f"{HERE}{kind.__name__} has new settings {sorted(unknown)}: give them values in plugins/temporal/core.py"
    )


def test_a_setting_that_is_not_known_is_an_error_that_names_it() -> None:
    @dataclasses.dataclass
    class Newer:
        known: int
        surprise: int
        optional: int = 3

    with pytest.raises(core.UnknownSetting, match=r"Newer has unknown settings surprise; install an older one"):
        core._settings(Newer, {"known": 1, "gone": 2})


def test_a_setting_that_a_release_lacks_is_left_out() -> None:
    @dataclasses.dataclass
    class Older:
        known: int

    assert core._settings(Older, {"known": 1, "newer": 2}) == Older(1)


def test_a_worker_config_is_complete_for_each_kind_of_versioning() -> None:
    for versioning, name in (
        (Versioning(), "WorkerVersioningStrategyNone"),
        (Versioning(build_id="b", used=True), "WorkerVersioningStrategyLegacyBuildIdBased"),
        (Versioning(deployment="d", build_id="b", used=True), "WorkerDeploymentOptions"),
    ):
        settings = WorkerSettings(
            namespace="n", task_queue="q", identity="i", cached_runs=5, versioning=versioning, sticky_timeout=2.5
        )
        config = core._worker_config(settings)
        assert type(config.versioning_strategy).__name__ == name
        assert config.sticky_queue_schedule_to_start_timeout_millis == 2500
        assert config.max_cached_workflows == 5
