"""Resource attributes of traces: from the section, else the environment, else RoadRunner's defaults. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyroadrunner.plugins.otel.config import OtelConfig

# Go's names, as in OpenTelemetry's conventions.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "i386": "x86"}

Attributes = dict[str, str]


def resource_attributes(
    config: OtelConfig,
    environment: Mapping[str, str],
    new_id: Callable[[], str],
    system: str,
    machine: str,
    version: str,
) -> Attributes:
    """All attributes except the library's own.

    Args:
        environment: attributes from ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME``.
        new_id: returns a random id.
        system: the value of ``platform.system()``; ``machine`` likewise.
        version: version of this server.
    """
    own = config.resource
    name = own.service_name or config.service_name or environment.get("service.name") or "RoadRunner"
    said = {
        "service.version": own.service_version or config.service_version,
        "service.instance.id": own.service_instance_id,
        "service.namespace": own.service_namespace,
    }
    defaults: dict[str, Callable[[], str]] = {
        "service.version": lambda: "1.0.0",
        "service.instance.id": new_id,
        "service.namespace": lambda: f"{name}-{new_id()}",
    }
    chosen = {key: value or environment.get(key) or defaults[key]() for key, value in said.items()}
    fixed = {
        "os.name": system.lower(),
        "host.arch": _ARCHITECTURES.get(machine.lower(), machine.lower()),
        "webengine.name": "RoadRunner",
        "webengine.version": version,
    }
    return {**environment, **fixed, "service.name": name, **chosen}
