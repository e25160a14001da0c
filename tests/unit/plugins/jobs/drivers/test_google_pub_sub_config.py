"""Settings of the driver ``google_pub_sub``."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.config import DRIVER, PubSubConfig, PubSubSection
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def declared(**values: str) -> PubSubConfig:
    found = read_declaration("google_pub_sub", DRIVER, values).config
    assert isinstance(found, PubSubConfig)
    return found


def test_what_the_php_package_declares() -> None:
    values = {"project_id": "p", "topic": "t", "dead_letter_topic": "d", "max_delivery_attempts": "7", "priority": "3"}
    found = declared(**values)
    assert found == PubSubConfig(project_id="p", topic="t", dead_letter_topic="d", max_delivery_attempts=7, priority=3)
    assert found.topic_name("t") == "projects/p/topics/t"
    assert found.subscription_name("s") == "projects/p/subscriptions/s"


def test_defaults() -> None:
    found = declared(project_id="p", topic="t", priority="0", max_delivery_attempts="0")
    assert (found.priority, found.max_delivery_attempts, found.dead_letter_topic) == (10, 10, "")
    assert (found.prefetch, found.ack_deadline) == (100, 60)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("project_id", ""),
        ("topic", ""),
        ("topic", "projects/p/topics/t"),
        ("max_delivery_attempts", "101"),
        ("ack_deadline", "9"),
        ("ack_deadline", "601"),
        ("prefetch", "0"),
    ],
)
def test_bad_values_are_named(key: str, value: str) -> None:
    with pytest.raises(BadDeclaration, match=key):
        declared(**{"project_id": "p", "topic": "t", key: value})


@pytest.mark.parametrize("key", ["project_id", "topic"])
def test_required_keys(key: str) -> None:
    values = {"project_id": "p", "topic": "t"}
    del values[key]
    with pytest.raises(BadDeclaration, match=key):
        declared(**values)


@pytest.mark.parametrize(
    ("section", "env", "address"),
    [
        (PubSubSection(), {}, ("127.0.0.1:8085", True)),
        (PubSubSection(insecure=True), {}, ("127.0.0.1:8085", False)),
        (PubSubSection(endpoint="pubsub.googleapis.com:443"), {}, ("pubsub.googleapis.com:443", True)),
        (PubSubSection(), {"PUBSUB_EMULATOR_HOST": "emulator:1"}, ("emulator:1", False)),
        (PubSubSection(endpoint="mine:2"), {"PUBSUB_EMULATOR_HOST": "emulator:1"}, ("mine:2", False)),
    ],
)
def test_where_the_service_is(section: PubSubSection, env: dict[str, str], address: tuple[str, bool]) -> None:
    assert section.address(env) == address


@pytest.mark.parametrize("endpoint", ["pubsub.googleapis.com", "https://pubsub.googleapis.com:443"])
def test_an_endpoint_is_host_and_port(endpoint: str) -> None:
    assert [key for key, _ in PubSubSection(endpoint=endpoint).faults()] == ["endpoint"]
