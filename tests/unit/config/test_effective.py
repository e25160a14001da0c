"""The effective config shows every value and its source."""

from __future__ import annotations

from typing import Any

import msgspec

from pyroadrunner.config.check import check
from pyroadrunner.config.effective import effective
from pyroadrunner.config.expand import expand_layer
from pyroadrunner.config.keys import normalise
from pyroadrunner.config.origin import Origin, dotted
from pyroadrunner.config.overrides import apply_override
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.config import EndureConfig
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.server.config import ServerConfig

MODELS: dict[str, type[msgspec.Struct]] = {"http": HttpConfig, "server": ServerConfig, "endure": EndureConfig}
FILE = Origin(kind="file", source=".rr.yaml")


def view(data: dict[str, Any], *flags: str, reveal: bool = False) -> dict[str, tuple[Any, str]]:
    layer = normalise(data, {}, FILE)
    expand_layer(layer, {"NAME": "value"})
    for flag in flags:
        apply_override(flag, layer, {})
    raw = RawConfig(layer.data, layer.origins, root=FILE)
    leaves = effective(raw, check(raw, MODELS), MODELS, reveal=reveal)
    return {dotted(leaf.path): (leaf.value, leaf.source) for leaf in leaves}


def test_values_of_the_file_and_defaults_are_listed_together() -> None:
    shown = view({"http": {"address": ":80", "pool": {"supervisor": {"ttl": "90s"}}}, "version": "3"})
    assert shown["http.address"] == (":80", ".rr.yaml")
    assert shown["http.pool.supervisor.ttl"] == ("1m30s", ".rr.yaml")
    assert shown["http.pool.supervisor.watch_tick"] == ("5s", "default")
    assert shown["http.pool.dynamic_allocator"] == (None, "default")
    assert shown["version"] == ("3", ".rr.yaml")


def test_a_flag_and_a_variable_are_named_as_the_source() -> None:
    shown = view({"http": {"address": "${NAME}:1"}}, "http.pool.num_workers=4")
    assert shown["http.address"] == ("value:1", ".rr.yaml from ${NAME}:1")
    assert shown["http.pool.num_workers"] == (4, "-o http.pool.num_workers")


def test_sections_that_are_always_on_are_shown() -> None:
    assert view({})["endure.grace_period"] == ("30s", "default")
    assert view({"endure": {"grace_period": "1s"}})["endure.grace_period"] == ("1s", ".rr.yaml")


def test_a_section_with_errors_or_without_a_model_is_shown_as_written() -> None:
    shown = view({"http": {"raw_body": "maybe"}, "kv": {"mem": {"driver": "memory", "list": [1], "none": {}}}})
    assert shown["http.raw_body"] == ("maybe", ".rr.yaml")
    assert "http.address" not in shown
    assert shown["kv.mem.list"] == ([1], ".rr.yaml")
    assert shown["kv.mem.none"] == ({}, ".rr.yaml")


def test_an_unknown_key_is_marked() -> None:
    assert view({"http": {"zzz": {"a": 1}}})["http.zzz.a"] == (1, ".rr.yaml, unknown key")


def test_secrets_are_masked_with_their_variables_unless_revealed() -> None:
    data = {"server": {"command": "php", "env": [{"DB_PASSWORD": "x"}]}, "redis": {"password": "${NAME:-fallback}"}}
    hidden, open_ = view(data), view(data, reveal=True)
    assert hidden["server.env.db_password"] == ("***", ".rr.yaml")
    assert hidden["redis.password"] == ("***", ".rr.yaml")
    assert open_["server.env.db_password"][0] == "x"
    assert open_["redis.password"] == ("value", ".rr.yaml from ${NAME:-fallback}")


def test_a_value_knows_its_default_and_whether_it_differs() -> None:
    written = {"http": {"address": "127.0.0.1:8080", "pool": {"allocate_timeout": "60s", "num_workers": 3}}}
    layer = normalise(written, {}, FILE)
    raw = RawConfig(layer.data, layer.origins, root=FILE)
    leaves = {dotted(leaf.path): leaf for leaf in effective(raw, check(raw, MODELS), MODELS)}
    assert (leaves["http.pool.num_workers"].default, leaves["http.pool.num_workers"].changed) == (0, True)
    assert (leaves["http.pool.allocate_timeout"].default, leaves["http.pool.allocate_timeout"].changed) == ("1m", False)
    assert not leaves["http.pool.max_jobs"].changed
    assert leaves["http.address"].changed
