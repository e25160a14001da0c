"""Packages that a config needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import metadata
from typing import Any

import pytest

from pyroadrunner.cli.doctor.extras import Need, inspect, needs
from pyroadrunner.cli.doctor.finding import Verdict
from pyroadrunner.plugins.jobs import installed
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig


def keys(config: Mapping[str, Any], *, experimental: bool = False) -> list[tuple[str, str]]:
    return [(need.key, need.extra) for need in needs(config, experimental=experimental)]


def test_each_part_names_what_it_needs() -> None:
    config = {
        "http": {"ssl": {"acme": {"email": "me@example.test"}}, "http3": {"address": ":8443"}},
        "otel": {"exporter": "otlp"},
        "centrifuge": {"proxy_address": "tcp://127.0.0.1:30000"},
        "lock": {"driver": "redis"},
        "schedule": {"driver": "redis"},
        "mercure": {"store": "redis"},
        "broadcast": {"default": {"driver": "redis"}},
        "websocket": {"driver": "redis", "apps": [{"webhooks": [{"url": "/x"}, {"url": "https://example.test"}]}]},
        "websockets": {"broker": "default"},
        "kv": {"fast": {"driver": "redis"}, "near": {"driver": "memory"}},
    }
    assert keys(config, experimental=True) == [
        ("http.ssl.acme", "acme"),
        ("http.http3", "http3"),
        ("otel", "otel"),
        ("centrifuge", "centrifuge"),
        ("lock.driver", "redis"),
        ("schedule.driver", "redis"),
        ("mercure", "mercure"),
        ("mercure.store", "redis"),
        ("websocket", "websocket"),
        ("websockets", "websocket"),
        ("websocket.driver", "redis"),
        ("websocket.apps: webhooks", "webhooks"),
        ("kv.fast.driver", "redis"),
        ("broadcast.default.driver", "redis"),
    ]
    assert keys({"http": {"http3": {"address": ""}}, "lock": {"driver": "memory"}}, experimental=True) == []


def test_a_driver_of_jobs_names_its_client_library(monkeypatch: pytest.MonkeyPatch) -> None:
    info = DriverInfo(config=PipelineConfig, make="x:Y", modules=("aio_pika",), extra="amqp")
    monkeypatch.setattr(installed, "installed_drivers", lambda: {"amqp": info, "memory": replace(info, modules=())})
    pipelines = {"a": {"driver": "amqp"}, "b": {"driver": "memory"}, "c": {"driver": "nope"}}
    found = list(needs({"jobs": {"pipelines": pipelines}}, experimental=False))
    assert found == [Need("jobs.pipelines.a.driver", ("aio_pika",), "amqp")]


def test_every_client_library_comes_with_an_extra() -> None:
    extras = metadata("pyroadrunner").get_all("Provides-Extra") or []
    drivers = installed.installed_drivers()
    named = {name: info.extra for name, info in drivers.items() if info.modules}
    assert named.keys() == {"amqp", "google_pub_sub", "kafka", "nats", "redis", "sql", "sqs"}
    assert set(named.values()) <= set(extras)
    for name, info in drivers.items():
        found = list(needs({"jobs": {"pipelines": {"p": {"driver": name}}}}, experimental=False))
        assert [inspect(need).verdict for need in found] == [Verdict.OK] * bool(info.modules)


def test_sqlite_needs_no_client_library() -> None:
    own, shared = {"driver": "sql", "config": {"dsn": "sqlite:///a.db"}}, {"driver": "sql", "config": {"dsn": ""}}
    jobs = {"pipelines": {"own": own, "shared": shared}}
    assert keys({"jobs": jobs}) == [("jobs.pipelines.shared.driver", "sql")]
    assert keys({"jobs": jobs, "sql": {"dsn": "sqlite:///b.db"}}) == []


def test_http3_needs_nothing_if_it_is_off() -> None:
    config = {"http": {"http3": {"address": ":8443"}}}
    assert keys(config) == []
    assert keys(config, experimental=True) == [("http.http3", "http3")]


def test_reflection_needs_the_compiler_only_for_files() -> None:
    assert keys({"grpc": {"proto": ["a.proto"], "reflection": True}}) == [("grpc.reflection", "grpc")]
    assert keys({"grpc": {"proto": ["a.proto"], "reflection": False}}) == []
    assert keys({"grpc": {"proto": [], "reflection": True}}) == []


def test_codings_matter_only_with_the_middleware() -> None:
    gzip = {"encodings": ["br", "gzip", "zstd"]}
    assert keys({"http": {"middleware": ["headers"], "gzip": gzip}}) == []
    wanted = [("http.gzip.encodings: br", "compress"), ("http.gzip.encodings: zstd", "compress")]
    assert keys({"http": {"middleware": ["headers", "gzip"], "gzip": gzip}}) == wanted
    assert keys({"http": {"middleware": ["gzip"], "gzip": {"encodings": ["gzip"]}}}) == []


@pytest.mark.parametrize(
    ("otel", "module"),
    [
        ({"exporter": "otlp", "client": ""}, "opentelemetry.exporter.otlp.proto.http"),
        ({"exporter": "otlp", "client": "grpc"}, "opentelemetry.exporter.otlp.proto.grpc"),
        ({"exporter": "zipkin"}, "opentelemetry.exporter.zipkin.json"),
        ({"exporter": "stdout"}, "opentelemetry.propagators.jaeger"),
    ],
)
def test_each_exporter_has_its_own_package(otel: dict[str, str], module: str) -> None:
    [need] = needs({"otel": otel}, experimental=False)
    assert need.modules[-1] == module


@pytest.mark.parametrize(
    "config",
    [
        {"http": {"ssl": {"acme": {}}, "http3": {"address": ":1"}}},
        {"http": {"middleware": ["gzip"], "gzip": {"encodings": ["br", "zstd"]}}},
        {"otel": {"exporter": "otlp"}},
        {"otel": {"exporter": "otlp", "client": "grpc"}},
        {"otel": {"exporter": "zipkin"}},
        {"lock": {"driver": "redis"}},
        {"temporal": {}},
        {"grpc": {"proto": ["a.proto"], "reflection": True}},
    ],
)
def test_the_modules_are_those_of_the_extras(config: dict[str, Any]) -> None:
    """Here all of them are installed."""
    findings = [inspect(need) for need in needs(config, experimental=True)]
    assert findings
    assert {finding.verdict for finding in findings} == {Verdict.OK}


def test_missing_packages_are_reported_with_the_install_command() -> None:
    found = inspect(Need("otel", ("msgspec", "opentelemetry_of_tomorrow.sdk"), "otel"))
    assert (found.verdict, found.todo) == (Verdict.FAIL, "pip install 'pyroadrunner[otel]'")
    assert found.found == "the module opentelemetry_of_tomorrow.sdk is not installed"
    assert inspect(Need("rpc", ("msgspec", "yaml"), "")).found == "the modules msgspec, yaml are installed"


def test_optional_packages_are_a_warning() -> None:
    found = inspect(
        Need("http.gzip.encodings: br", ("brotli_of_tomorrow",), "compress", "br is not offered to clients")
    )
    assert found.verdict is Verdict.WARN
    assert found.found == "the module brotli_of_tomorrow is not installed, so br is not offered to clients"
    assert found.todo == "pip install 'pyroadrunner[compress]'"
