"""NGINX Unit's JSON: what becomes of applications, listeners, routes and settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.cli.init.project import Project
from pyroadrunner.cli.migrate.builder import Unmigratable
from pyroadrunner.cli.migrate.report import Migration
from pyroadrunner.cli.migrate.unit_json import is_unit, migrate
from pyroadrunner.config.check import check
from pyroadrunner.config.models import section_models
from pyroadrunner.config.raw import RawConfig

MODELS = section_models()
NOTHING = Project(kind="unknown", title="nothing")
LARAVEL = Project(kind="laravel", title="Laravel", command="php rr-worker.php", max_jobs=500)
PHP = {"type": "php", "root": "/www/blog"}


def migrated(config: Any, name: str = "", project: Project = NOTHING) -> tuple[Any, Migration]:
    migration = migrate(json.dumps(config), name, project)
    data = yaml.safe_load(migration.config)
    assert check(RawConfig.from_dict(data, "test"), MODELS).faults == [], migration.config
    return data, migration


def app(**changed: Any) -> dict[str, Any]:
    return {"listeners": {"*:8300": {"pass": "applications/blog"}}, "applications": {"blog": {**PHP, **changed}}}


def outcome(migration: Migration, source: str) -> str:
    return next(entry.outcome for entry in migration.entries if entry.source == source)


def at(data: Any, key: str) -> Any:
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


@pytest.mark.parametrize(
    ("config", "key", "value", "source", "became"),
    [
        (app(processes=4), "http.pool.num_workers", 4, "processes", "kept"),
        (app(processes=900), "http.pool.num_workers", 500, "processes", "different"),
        (app(processes={"max": 20, "spare": 5}), "http.pool.num_workers", 5, "processes.spare", "different"),
        (
            app(processes={"max": 20, "spare": 5}),
            "http.pool.dynamic_allocator.max_workers",
            15,
            "processes.max",
            "changed",
        ),
        (
            app(processes={"max": 2, "idle_timeout": 30}),
            "http.pool.dynamic_allocator.idle_timeout",
            "30s",
            "processes.idle_timeout",
            "kept",
        ),
        (app(limits={"timeout": 10}), "http.pool.supervisor.exec_ttl", "10s", "limits.timeout", "kept"),
        (app(limits={"requests": 10}), "http.pool.max_jobs", 1, "limits.requests", "ignored"),
        (app(environment={"A": "b"}), "server.env.A", "b", "environment.A", "kept"),
        (app(environment={"A": "$b"}), "server.env", None, "environment.A", "ignored"),
        (app(user="www-data"), "server.user", "www-data", "user", "different"),
        (app(isolation={}), "server.user", None, "isolation", "ignored"),
        (app(odd=1), "server.user", None, "odd", "ignored"),
    ],
)
def test_an_application(config: Any, key: str, value: object, source: str, became: str) -> None:
    data, migration = migrated(config)
    assert (at(data, key), outcome(migration, f"applications.blog.{source}")) == (value, became)


def test_a_script_gets_a_worker_for_its_folder() -> None:
    data, migration = migrated(
        app(script="front.php", options={"admin": {"memory_limit": "256M"}, "file": "/etc/php.ini"})
    )
    assert data["server"]["command"].startswith("php -c /etc/php.ini -d memory_limit=256M -d disable_functions=header,")
    assert "Script::next('/www/blog', 'front.php')" in migration.files["rr-worker.php"]


@pytest.mark.parametrize("root", ["/www/it's", "/www/\\", "/a?>\n<?php evil();"])
def test_a_folder_can_not_leave_its_string(root: str) -> None:
    _, migration = migrated(app(root=root))
    code = migration.files["rr-worker.php"]
    quoted = root.replace("\\", "\\\\").replace("'", "\\'")
    assert f"Script::next('{quoted}');" in code
    assert "evil" not in code.partition("require getenv")[0]


def test_targets_and_a_framework() -> None:
    _, migration = migrated(
        {"applications": {"blog": {"type": "php 8.2", "targets": {"a": {"root": "/a"}, "b": {"root": "/b"}}}}}
    )
    assert "'/a'" in migration.files["rr-worker.php"]
    assert outcome(migration, "applications.blog.targets.b") == "ignored"
    data, migration = migrated(app(limits={"requests": 50}), project=LARAVEL)
    assert (data["server"]["command"], data["http"]["pool"]["max_jobs"]) == ("php rr-worker.php", 50)
    assert outcome(migration, "applications.blog.root") == "ignored"


def test_listeners() -> None:
    config = app()
    config["listeners"] = {
        "127.0.0.1:80": {"pass": "routes", "forwarded": {"client_ip": "X-Forwarded-For", "source": ["10.0.0.0/8"]}},
        "*:443": {"pass": "routes", "tls": {"certificate": "bundle"}},
        "*:8081": {"pass": "routes"},
        "*:8082": {"pass": "applications/other"},
    }
    data, migration = migrated(config)
    assert data["http"]["address"] == "127.0.0.1:80"
    assert data["http"]["ssl"]["address"] == ":443"
    assert data["http"]["trusted_subnets"] == ["10.0.0.0/8"]
    assert data["http"]["trusted_headers"] == ["X-Forwarded-For"]
    assert data["http"]["middleware"] == ["proxy_ip_parser"]
    assert outcome(migration, "listeners.*:443.tls") == "different"
    assert outcome(migration, "listeners.*:8081") == "ignored"


def test_routes() -> None:
    config = app()
    config["routes"] = [
        {"match": {"uri": "/old"}, "action": {"return": 301, "location": "/new"}},
        {"match": {"uri": "!*.php"}, "action": {"share": "/www/blog$uri", "fallback": {"pass": "applications/blog"}}},
    ]
    data, migration = migrated(config)
    assert data["http"]["static"] == {"dir": "/www/blog"}
    assert data["http"]["middleware"] == ["static"]
    assert outcome(migration, "routes[0].action.return") == "ignored"
    assert outcome(migration, "routes[1].action.share") == "changed"
    named = {**config, "routes": {"main": config["routes"]}}
    assert outcome(migrated(named)[1], "routes.main[1].action.share") == "changed"


def test_settings() -> None:
    config = {**app(), "settings": {"http": {"max_body_size": 8388609, "send_timeout": 20}}, "access_log": "/var/log/a"}
    data, migration = migrated(config)
    assert (data["http"]["max_request_size"], data["http"]["limits"]["write_timeout"]) == (9, "20s")
    assert outcome(migration, "settings.http.max_body_size") == "different"
    assert outcome(migration, "access_log") == "different"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"applications": {}}, "no application"),
        ({"applications": {"a": PHP, "b": PHP}}, "several applications: a, b"),
        ({"applications": {"a": {"type": "python 3.11"}}}, "run rr init in its folder"),
        ({"applications": {"a": {"type": "ruby"}}}, "workers are in PHP or Python"),
    ],
)
def test_what_can_not_be_migrated_says_why(config: Any, reason: str) -> None:
    with pytest.raises(Unmigratable, match=reason):
        migrated(config)


def test_the_whole_answer_of_units_control_socket_is_understood() -> None:
    assert is_unit(json.dumps({"certificates": {}, "config": app()}))
    assert not is_unit('{"version": "3", "http": {}}')
    assert not is_unit("[")
    assert migrated({"certificates": {}, "config": app()})[0]["http"]["address"] == ":8300"


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**12), st.text(max_size=8), st.sampled_from(["*:80", "$uri", "a$uri"])
)
KEYS = st.sampled_from(
    ["processes", "limits", "max", "spare", "timeout", "requests", "environment", "user", "options", "admin", "root"],
) | st.sampled_from(
    ["script", "targets", "match", "action", "share", "fallback", "pass", "uri", "http", "max_body_size", "source"],
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(deadline=None, max_examples=80)
@given(TREES, TREES, TREES, st.dictionaries(st.text(max_size=12), TREES, max_size=3))
def test_whatever_the_json_holds_the_new_config_is_valid(
    application: Any, routes: Any, http: Any, listeners: Any
) -> None:
    blog = {**(application if isinstance(application, dict) else {}), "type": "php"}
    config = {"applications": {"blog": blog}, "routes": routes, "settings": {"http": http}, "listeners": listeners}
    migrated(config)
