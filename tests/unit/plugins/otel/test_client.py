"""The protocol and the URL."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.otel.client import choose_client, http_url
from pyroadrunner.plugins.otel.config import OtelConfig

TRACES = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
ALL = "OTEL_EXPORTER_OTLP_PROTOCOL"


@pytest.mark.parametrize(
    ("client", "environ", "chosen"),
    [
        ("", {}, ("http", "")),
        ("grpc", {}, ("grpc", "")),
        ("http", {TRACES: "grpc"}, ("http", "")),
        ("zzz", {TRACES: "grpc"}, ("http", "")),
        ("", {TRACES: "grpc", ALL: "http/protobuf"}, ("grpc", "")),
        ("", {TRACES: "", ALL: "grpc"}, ("grpc", "")),
        ("", {ALL: "http/protobuf"}, ("http", "")),
        ("", {ALL: "http/json"}, ("http", "http/json")),
    ],
)
def test_the_section_takes_precedence_over_the_environment(
    client: str, environ: dict[str, str], chosen: tuple[str, str]
) -> None:
    assert choose_client(OtelConfig(client=client), environ) == chosen


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (OtelConfig(), None),
        (OtelConfig(insecure=True), None),
        (OtelConfig(endpoint="c:4318"), "https://c:4318/v1/traces"),
        (OtelConfig(endpoint="c:4318", insecure=True), "http://c:4318/v1/traces"),
        (OtelConfig(endpoint="c:4318", custom_url="/x/y", insecure=True), "http://c:4318/x/y"),
        (OtelConfig(endpoint="c:4318", custom_url="x", insecure=True), "http://c:4318/x"),
        (OtelConfig(endpoint="http://c:4318"), "http://c:4318/v1/traces"),
        (OtelConfig(endpoint="http://c:4318/"), "http://c:4318/v1/traces"),
        (OtelConfig(endpoint="http://c/a/b"), "http://c/a/b"),
        (OtelConfig(endpoint="[::1]:4318"), "https://[::1]:4318/v1/traces"),
        (OtelConfig(custom_url="/x"), "http://localhost:4318/x"),
    ],
)
def test_the_url_is_made_of_endpoint_insecure_and_custom_url(config: OtelConfig, url: str | None) -> None:
    assert http_url(config, {}) == url


def test_a_path_alone_is_appended_to_the_host_of_the_environment() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:1/base/v1"}
    assert http_url(OtelConfig(custom_url="/x"), environ) == "https://c:1/x"
