"""Errors and warnings of the section."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.otel.config import OtelConfig


@pytest.mark.parametrize("exporter", ["otlp", "zipkin", "stdout", "stderr"])
def test_known_exporters_are_accepted(exporter: str) -> None:
    assert list(OtelConfig(exporter=exporter).faults()) == []


def test_unknown_exporters_are_refused() -> None:
    [(key, message)] = OtelConfig(exporter="zzz").faults()
    assert (key, message.partition(";")[0]) == ("exporter", "unknown exporter: zzz")


def test_jaeger_is_refused_with_advice() -> None:
    [(key, message)] = OtelConfig(exporter="jaeger").faults()
    assert key == "exporter"
    assert "otlp" in message


def test_zipkin_requires_a_url() -> None:
    assert [key for key, _ in OtelConfig(exporter="zipkin", endpoint="localhost:9411").faults()] == ["endpoint"]
    assert list(OtelConfig(exporter="zipkin", endpoint="http://localhost:9411/api/v2/spans").faults()) == []


def test_deprecated_keys_and_unknown_clients_give_a_warning() -> None:
    config = OtelConfig(client="zzz", service_name="a", service_version="b")
    assert [key for key, _ in config.warnings()] == ["client", "service_name", "service_version"]
    assert list(OtelConfig(client="grpc").warnings()) == []
