"""What `rr config explain` knows about keys: it reads the models, so every key of every section is there."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.config.explain import UnknownKey, all_keys, explain, section
from pyroadrunner.config.models import section_models

MODELS = section_models()
KEYS = sorted(all_keys(MODELS))


@pytest.mark.parametrize(
    ("path", "type_", "default", "unit"),
    [
        ("http.pool.num_workers", "whole number, at least 0", 0, ""),
        ("HTTP.Pool.Max_Queue_Size", "whole number, at least 0", 1024, ""),
        ("http.max_request_size", "whole number, at least 0", 1000, "MB (2**20 bytes)"),
        ("http.gzip.min_length", "whole number, at least 0", 1024, "bytes"),
        ("http.pool.supervisor.exec_ttl", 'duration, such as "30s", "1m30s" or "500ms"', "0s", ""),
        ("http.codec", "`json` or `protobuf`", "json", ""),
        ("http.access_logs", "true or false", False, ""),
        ("http.middleware", "list of strings, or one string with commas", None, ""),
        ("server.command", "command: one string, or a list of arguments", None, ""),
        ("http.routes", "list of maps of keys", None, ""),
        ("http.routes.match", "list of strings, or one string with commas", None, ""),
        ("http.routes[0].pool.num_workers", "whole number, at least 0", None, ""),
        ("service.queue.process_num", "whole number, at least 0", 1, ""),
        ("kv.cache.driver", "`memory` or `boltdb` or `memcached` or `redis`", None, ""),
        ("kv.NAME.config.addrs", "list of strings, or one string with commas", ["127.0.0.1:6379"], ""),
        ("jobs.pipelines.mails.config.queue", "string", None, ""),
    ],
)
def test_a_key_has_its_type_default_and_unit(path: str, type_: str, default: object, unit: str) -> None:
    key = explain(MODELS, path)
    assert (key.type, key.unit) == (type_, unit)
    if default is not None:
        assert key.default == default


def test_keys_of_some_drivers_name_them() -> None:
    key = explain(MODELS, "jobs.pipelines.mails.config.exchange")
    assert key.drivers == ("amqp",)
    assert explain(MODELS, "jobs.pipelines.mails.config.prefetch").drivers == ()


@pytest.mark.parametrize("name", MODELS)
def test_every_section_and_every_key_is_explained(name: str) -> None:
    whole = section(MODELS, name)
    assert whole.text, f"the model of {name} has no docstring"
    mine = [key for key in KEYS if key.split(".")[0] == name]
    assert mine
    for key in mine:
        assert explain(MODELS, key).type


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("htp.pool", "http.pool"),
        ("http.adress", "http.address"),
        ("http.num_workers", "http.pool.num_workers"),
        ("http.exec_ttl", "http.pool.supervisor.exec_ttl"),
        ("max_jobs", "http.pool.max_jobs"),
        ("servr", "server"),
        ("http.address.port", ""),
    ],
)
def test_an_unknown_key_gets_the_nearest_ones(path: str, near: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        explain(MODELS, path)
    assert not near or near in caught.value.near
    assert str(caught.value).startswith(f"{path}: unknown key")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nsq", "not part of this version"),
        ("reload.patterns", "RoadRunner has removed"),
        ("redis.addrs", "kv.NAME.config"),
        ("version", "a key of the file itself"),
    ],
)
def test_a_section_that_is_not_here_says_why(path: str, reason: str) -> None:
    with pytest.raises(UnknownKey, match=reason):
        explain(MODELS, path)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(alphabet="ahtpl.[]_0NME ", max_size=8), max_size=5))
def test_no_path_breaks_it(parts: list[str]) -> None:
    with suppress(UnknownKey):
        assert explain(MODELS, "http." + ".".join(parts)).path[0] == "http"
