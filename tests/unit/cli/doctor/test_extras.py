"""Packages that a config needs."""

from __future__ import annotations

from pyroadrunner.cli.doctor.extras import look, needs
from pyroadrunner.cli.doctor.finding import Verdict


def test_each_part_names_what_it_needs() -> None:
    config = {
        "http": {"ssl": {"acme": {"email": "me@example.test"}}, "http3": {"address": ":8443"}},
        "otel": {"exporter": "otlp"},
        "lock": {"driver": "redis"},
        "kv": {"fast": {"driver": "redis"}, "near": {"driver": "memory"}},
    }
    assert [(key, extra) for key, _, extra in needs(config)] == [
        ("http.ssl.acme", "acme"),
        ("http.http3", "http3"),
        ("otel", "otel"),
        ("lock.driver", "redis"),
        ("kv.fast.driver", "redis"),
    ]
    assert list(needs({"http": {"http3": {"address": ""}}, "lock": {"driver": "memory"}})) == []


def test_what_is_missing_is_told_with_the_command_that_brings_it() -> None:
    assert look("otel", "opentelemetry_of_tomorrow.sdk", "otel").todo == "pip install 'pyroadrunner[otel]'"
    assert look("otel", "opentelemetry_of_tomorrow.sdk", "otel").verdict is Verdict.FAIL
    assert look("rpc", "msgspec", "").verdict is Verdict.OK
