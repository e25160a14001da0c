"""The ``temporal`` section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.temporal.config import TemporalConfig


def read(**keys: Any) -> tuple[TemporalConfig | None, list[str], list[str]]:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    config = reader.read(TemporalConfig, keys, ("temporal",))
    assert config is None or isinstance(config, TemporalConfig)
    return config, [fault.path for fault in reader.faults], [warning.path for warning in reader.warnings]


def test_defaults() -> None:
    config, faults, warnings = read(address="", cache_size=0, namespace="")
    assert config is not None
    assert (config.address, config.namespace, config.cache_size) == ("127.0.0.1:7233", "default", 10_000)
    assert (faults, warnings) == ([], [])


def test_flat_keys_of_metrics_win() -> None:
    config, _, _ = read(metrics={"address": "127.0.0.1:1", "prometheus": {"address": "127.0.0.1:2", "prefix": "p"}})
    assert config is not None
    assert config.metrics is not None
    assert config.metrics.prometheus is not None
    assert (config.metrics.prometheus.address, config.metrics.prometheus.prefix) == ("127.0.0.1:1", "p")


def test_summaries_are_warned_of() -> None:
    assert read(metrics={"prometheus": {"type": "summary"}})[2] == ["temporal.metrics.prometheus.type"]


def test_faults_are_found_at_once(tmp_path: Path) -> None:
    file = tmp_path / "cert"
    file.touch()
    _, faults, _ = read(
        tls={"cert": str(file), "root_ca": "/no/such/file", "client_auth_type": "maybe"},
        metrics={"driver": "graphite"},
    )
    assert sorted(faults) == [
        "temporal.metrics.driver",
        "temporal.tls.client_auth_type",
        "temporal.tls.key",
        "temporal.tls.root_ca",
    ]
    assert read(interceptors=["a", "a", ""])[1] == ["temporal.interceptors[1]", "temporal.interceptors[2]"]
