"""The methods of the RPC service ``metrics`` (rpc-cli-config.md, section 4.4). They are plain functions and never
wait."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.log import Log
from pyroadrunner.plugins.metrics.config import CollectorConfig
from pyroadrunner.plugins.metrics.errors import BadCollector, Refused
from pyroadrunner.plugins.metrics.registry import Registry

log = Log("metrics")


class Change(msgspec.Struct):
    """The argument of ``Add``, ``Sub``, ``Set`` and ``Observe``."""

    name: str = ""
    value: float = 0.0
    labels: list[str] | None = None


class Description(msgspec.Struct):
    """The description of a collector. ``objectives`` is a list if PHP sends an empty array."""

    namespace: str = ""
    subsystem: str = ""
    type: str = ""
    help: str = ""
    labels: list[str] | None = None
    buckets: list[float] | None = None
    objectives: dict[str, float] | list[float] | None = None


class Declaration(msgspec.Struct):
    """The argument of ``Declare``."""

    name: str = ""
    collector: Description = msgspec.field(default_factory=Description)


def methods(registry: Registry) -> Mapping[str, RpcMethod]:
    """``Add``, ``Sub``, ``Set``, ``Observe``, ``Declare``, ``Unregister``; each returns ``true``."""

    def change(method: str) -> RpcMethod:
        def call(asked: Change) -> bool:
            registry.call(method, asked.name, asked.value, asked.labels or ())
            return True

        return RpcMethod(call, Change)

    def declare(asked: Declaration) -> bool:
        if asked.name in registry:
            log.warning("tried to register existing collector", name=asked.name)
            return True
        try:
            registry.declare(asked.name, _config(asked.collector))
        except BadCollector as wrong:
            raise Refused("declare", str(wrong)) from wrong
        return True

    def unregister(name: str) -> bool:
        registry.unregister(name)
        return True

    return {
        **{method: change(method) for method in ("Add", "Sub", "Set", "Observe")},
        "Declare": RpcMethod(declare, Declaration),
        "Unregister": RpcMethod(unregister, str),
    }


def _config(asked: Description) -> CollectorConfig:
    config = CollectorConfig(
        type=asked.type,
        help=asked.help,
        namespace=asked.namespace,
        subsystem=asked.subsystem,
        labels=asked.labels or [],
        buckets=asked.buckets or [],
        objectives=asked.objectives if isinstance(asked.objectives, dict) else {},
    )
    for key, wrong in config.faults():
        if key != "type":  # RoadRunner has a different text for `type`
            raise BadCollector(f"{key}: {wrong}")
    return config
