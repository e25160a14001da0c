"""A config of RoadRunner: the report, and the text that replaces it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.cli.migrate.builder import Unmigratable
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.cli.migrate.roadrunner import DIFFERENT, RENAMED, migrate
from pyroadrunner.config.explain import UnknownKey, explain
from pyroadrunner.config.models import section_models

MODELS = section_models()
V1 = """
http:
  address: 0.0.0.0:8080
  maxRequestSize: 100
  workers:
    command: "php psr-worker.php"
    pool: {numWorkers: 4, maxJobs: 100}
static: {dir: public, forbid: [".php"]}
limit: {services: {http: {maxMemory: 100, execTTL: 60}}}
health: {address: "localhost:2113"}
rpc: {enable: true, listen: "tcp://127.0.0.1:6001"}
"""
V2 = """\
version: "2.7"   # the format
server:
  command: "php worker.php"   # ours
http:
  address: 127.0.0.1:${PORT:-8080}
  middleware: [static, gzip]
  pool: {num_workers: "${WORKERS}", max_jobs: 64}
"""


def migrated(text: str) -> Migration:
    return migrate(text, "yaml", MODELS)


def outcomes(migration: Migration) -> dict[str, str]:
    return {entry.source or entry.target: entry.outcome for entry in migration.entries}


def test_version_1_is_written_anew() -> None:
    migration = migrated(V1)
    assert yaml.safe_load(migration.config) == {
        "version": "3",
        "server": {"command": "php psr-worker.php"},
        "http": {
            "address": "0.0.0.0:8080",
            "max_request_size": 100,
            "pool": {"num_workers": 4, "max_jobs": 100, "supervisor": {"max_worker_memory": 100}},
            "static": {"dir": "public", "forbid": [".php"]},
            "middleware": ["static"],
        },
        "status": {"address": "localhost:2113"},
        "rpc": {"listen": "tcp://127.0.0.1:6001"},
    }
    told = outcomes(migration)
    assert told["http.workers.pool.numworkers"] == "changed"
    assert told["rpc.enable"] == "ignored"
    assert told["limit.services.http.execttl"] == "ignored"
    assert told["http.middleware"] == "added"
    assert migration.kind == "a config of RoadRunner 1"


def test_version_2_changes_one_line_and_keeps_comments_and_variables() -> None:
    migration = migrated(V2)
    assert migration.config == V2.replace('"2.7"', '"3"')
    told = outcomes(migration)
    assert (told["version"], told["http.address"], told["http.pool.num_workers"]) == ("changed", "kept", "kept")
    assert told["http.middleware"] == "different"
    assert migration.kind == "a config of RoadRunner 2"


def test_a_current_config_stays_as_it_is() -> None:
    text = V2.replace("2.7", "3")
    migration = migrated(text)
    assert migration.config == text
    assert outcomes(migration)["version"] == "kept"


@pytest.mark.parametrize("version", ["2", "'2.12'", "3", ""])
def test_the_version_becomes_a_string_of_3(version: str) -> None:
    text = f"version: {version}\nrpc: {{}}\n" if version else "rpc: {}\n"
    assert yaml.safe_load(migrated(text).config) == {"version": "3", "rpc": {}}


@pytest.mark.parametrize(
    ("text", "key", "outcome", "words"),
    [
        ("reload: {interval: 1s}", "reload.interval", "ignored", "--watch"),
        (
            "reload: {services: {http: {dirs: [a]}}}",
            "reload.services.http.dirs",
            "ignored",
            "removed in RoadRunner 2023.1",
        ),
        ("nsq: {addr: x}", "nsq.addr", "ignored", "not part of this version"),
        ("my_plugin: {a: 1}", "my_plugin.a", "ignored", "written in Python"),
        ("http: {cache: {x: 1}}", "http.cache.x", "ignored", "Varnish"),
        ("http: {adress: x}", "http.adress", "ignored", "did you mean `address`?"),
        ("http: {otel: {exporter: otlp}}", "http.otel.exporter", "changed", ""),
        ("http: {pool: {num_workers: many}}", "http.pool.num_workers", "different", "expected a whole number"),
        ("http: {pool: {num_workers: '${N}'}}", "http.pool.num_workers", "kept", ""),
        ("http: {pool: {supervisor: {exec_ttl: 5}}}", "http.pool.supervisor.exec_ttl", "different", "nanoseconds"),
        ("kv: {a: {driver: boltdb, config: {}}}", "kv.a.driver", "different", "SQLite"),
        ("kv: {a: {driver: memory, config: {}}}", "kv.a.driver", "kept", ""),
        ("http: {ssl: {acme: {certs_dir: x, email: a@b.c, domains: [a.b]}}}", "http.ssl.acme.certs_dir", "changed", ""),
        ("server: {command: php a.php, env: {A: 'pa$$word'}}", "server.env.a", "different", "expands to nothing"),
        ("x-anchors: {a: 1}", "x-anchors.a", "kept", ""),
        ("redis: {addrs: [a]}", "redis.addrs", "kept", ""),
    ],
)
def test_a_key(text: str, key: str, outcome: str, words: str) -> None:
    entries = {entry.source: entry for entry in migrated(f'version: "3"\n{text}\n').entries}
    assert entries[key].outcome == outcome
    assert words in entries[key].note
    assert entries[key].line == 2


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "a: 1\na: 2", "just text"])
def test_what_is_no_config_says_why(text: str) -> None:
    with pytest.raises(Unmigratable):
        migrated(text)


@pytest.mark.parametrize("key", [*RENAMED.values(), *DIFFERENT])
def test_the_tables_name_keys_that_exist(key: str) -> None:
    try:
        explain(MODELS, key.replace("*", "NAME"))
    except UnknownKey as unknown:
        pytest.fail(str(unknown))


WORDS = st.sampled_from([*{part for key in [*RENAMED, *RENAMED.values(), *DIFFERENT] for part in key.split(".")}, "x"])
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=6), st.lists(st.text(max_size=4), max_size=2)),
    lambda inner: st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_every_key_is_reported(data: dict[str, object]) -> None:
    migration = migrated(yaml.safe_dump({"version": "2", **data}))
    yaml.safe_load(migration.config)
    sources = [entry.source for entry in migration.entries if entry.source]
    assert len(sources) == len(set(sources))
