"""The resource attributes of traces."""

from __future__ import annotations

from itertools import count

import pytest

from pyroadrunner.plugins.otel.config import OtelConfig, ResourceConfig
from pyroadrunner.plugins.otel.resource import resource_attributes


def attributes(config: OtelConfig, **environment: str) -> dict[str, str]:
    ids = count(1)
    said = {name.replace("_", "."): value for name, value in environment.items()}
    return resource_attributes(config, said, lambda: f"id{next(ids)}", "Linux", "x86_64", "0.1")


def test_the_defaults_are_roadrunners() -> None:
    assert attributes(OtelConfig()) == {
        "service.name": "RoadRunner",
        "service.version": "1.0.0",
        "service.instance.id": "id1",
        "service.namespace": "RoadRunner-id2",
        "os.name": "linux",
        "host.arch": "amd64",
        "webengine.name": "RoadRunner",
        "webengine.version": "0.1",
    }


@pytest.mark.parametrize(
    ("config", "environment", "name"),
    [
        (OtelConfig(resource=ResourceConfig(service_name="a"), service_name="b"), "c", "a"),
        (OtelConfig(service_name="b"), "c", "b"),
        (OtelConfig(), "c", "c"),
        (OtelConfig(), "", "RoadRunner"),
    ],
)
def test_the_name_is_taken_from_the_first_that_has_one(config: OtelConfig, environment: str, name: str) -> None:
    found = attributes(config, service_name=environment)
    assert found["service.name"] == name
    assert found["service.namespace"] == f"{name}-id2"


@pytest.mark.parametrize(
    ("config", "version"),
    [
        (OtelConfig(resource=ResourceConfig(service_version="2"), service_version="3"), "2"),
        (OtelConfig(service_version="3"), "3"),
        (OtelConfig(), "4"),
    ],
)
def test_the_version_likewise(config: OtelConfig, version: str) -> None:
    assert attributes(config, service_version="4")["service.version"] == version


def test_the_environment_may_add_attributes() -> None:
    found = attributes(OtelConfig(), deployment_environment="prod", service_instance_id="mine", service_namespace="ns")
    assert found["deployment.environment"] == "prod"
    assert (found["service.instance.id"], found["service.namespace"]) == ("mine", "ns")


def test_the_section_names_instance_and_namespace() -> None:
    config = OtelConfig(resource=ResourceConfig(service_instance_id="a", service_namespace="b"))
    found = attributes(config, service_instance_id="c", service_namespace="d")
    assert (found["service.instance.id"], found["service.namespace"]) == ("a", "b")
