"""Pools of PHP-FPM: a table of settings and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.cli.init.folder import Folder
from pyroadrunner.cli.init.project import Project, look
from pyroadrunner.cli.migrate.builder import Unmigratable
from pyroadrunner.cli.migrate.fpm import migrate
from pyroadrunner.cli.migrate.fpm_file import is_fpm, parse_pools
from pyroadrunner.cli.migrate.fpm_settings import known_settings
from pyroadrunner.cli.migrate.report import Migration, report_text
from pyroadrunner.config.check import check
from pyroadrunner.config.models import section_models
from pyroadrunner.config.raw import RawConfig

MODELS = section_models()
WORKER = Project(kind="php-worker", title="a worker in PHP", command="php worker.php")
SCRIPTS = Project(kind="php-script", title="PHP scripts", command="php -d disable_functions=header w.php", max_jobs=1)


def migrated(text: str, project: Project = WORKER, name: str = "") -> tuple[Any, Migration]:
    migration = migrate(text, name, project)
    data = yaml.safe_load(migration.config)
    raw = RawConfig.from_dict(data, "test")
    assert check(raw, MODELS).faults == [], migration.config
    return data, migration


def outcome(migration: Migration, source: str) -> str:
    return next(entry.outcome for entry in migration.entries if entry.source == source)


def at(data: Any, key: str) -> Any:
    for part in key.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


TABLE = [
    ("pm = static\npm.max_children = 20", "http.pool.num_workers", 20, "pm", "kept"),
    ("pm = static\npm.max_children = 900", "http.pool.num_workers", 500, "pm.max_children", "different"),
    ("pm = dynamic\npm.max_children = 8\npm.min_spare_servers = 3", "http.pool.num_workers", 3, "pm", "different"),
    ("pm = dynamic\npm.max_children = 8", "http.pool.dynamic_allocator.max_workers", 7, "pm.max_children", "changed"),
    ("pm = ondemand\npm.max_children = 5", "http.pool.num_workers", 1, "pm.max_children", "changed"),
    (
        "pm = ondemand\npm.max_children = 5\npm.process_idle_timeout = 20s",
        "http.pool.dynamic_allocator.idle_timeout",
        "20s",
        "pm.process_idle_timeout",
        "kept",
    ),
    ("pm.max_requests = 500", "http.pool.max_jobs", 500, "pm.max_requests", "kept"),
    ("pm.start_servers = 4", "http.pool.start", None, "pm.start_servers", "ignored"),
    ("listen = 127.0.0.1:9000", "http.fcgi.address", "tcp://127.0.0.1:9000", "listen", "changed"),
    ("listen = 9000", "http.fcgi.address", "tcp://0.0.0.0:9000", "listen", "changed"),
    ("listen = /run/php.sock ; comment", "http.fcgi.address", "unix:///run/php.sock", "listen", "changed"),
    ("listen = $pool.sock", "http.fcgi", None, "listen", "ignored"),
    ("listen.mode = 0666", "http.socket_mode", 0o666, "listen.mode", "kept"),
    ("listen.allowed_clients = 127.0.0.1", "http.fcgi", None, "listen.allowed_clients", "ignored"),
    ("request_terminate_timeout = 2m", "http.pool.supervisor.exec_ttl", "2m", "request_terminate_timeout", "kept"),
    ("request_terminate_timeout = 90", "http.pool.supervisor.exec_ttl", "1m30s", "request_terminate_timeout", "kept"),
    ("request_terminate_timeout = 0", "http.pool.supervisor", None, "request_terminate_timeout", "ignored"),
    ("request_slowlog_timeout = 5s", "http.slow_request", "5s", "request_slowlog_timeout", "different"),
    ("slowlog = log/$pool.slow", "http.slow_request", None, "slowlog", "ignored"),
    ("access.log = /var/log/a", "http.access_logs", True, "access.log", "different"),
    ("env[DB_HOST] = db.local", "server.env.DB_HOST", "db.local", "env[DB_HOST]", "kept"),
    ("env[PATH] = $PATH", "server.env.PATH", "${PATH}", "env[PATH]", "kept"),
    ("env[PASS] = pa$$word", "server.env", None, "env[PASS]", "ignored"),
    ("env[lower] = x", "server.env", None, "env[lower]", "ignored"),
    ("user = www-data", "server.user", "www-data", "user", "different"),
    ("catch_workers_output = yes", "logs", None, "catch_workers_output", "kept"),
    ("clear_env = no", "server.env", None, "clear_env", "kept"),
    ("clear_env = yes", "server.env", None, "clear_env", "different"),
    ("rlimit_files = 1024", "server.env", None, "rlimit_files", "ignored"),
    ("no_such_setting = 1", "server.env", None, "no_such_setting", "ignored"),
]


@pytest.mark.parametrize(("text", "key", "value", "source", "became"), TABLE, ids=[row[0] for row in TABLE])
def test_a_setting(text: str, key: str, value: object, source: str, became: str) -> None:
    data, migration = migrated(f"[www]\n{text}\n")
    assert (at(data, key), outcome(migration, source)) == (value, became)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("php_admin_value[memory_limit] = 128M", "-d memory_limit=128M"),
        ("php_flag[display_errors] = off", "-d display_errors=0"),
        ("php_admin_flag[log_errors] = On", "-d log_errors=1"),
        ('php_value[error_log] = "/var/log/a b.log"', "-d 'error_log=/var/log/a b.log'"),
        ("php_value[x] = it's", """-d "x=it's\""""),
    ],
)
def test_ini_settings_become_flags_of_php(text: str, flags: str) -> None:
    data, _ = migrated(f"[www]\npm = static\n{text}\n")
    assert data["server"]["command"] == f"php {flags} worker.php"


def test_functions_that_were_disabled_stay_so_for_scripts() -> None:
    data, _ = migrated("[www]\nphp_admin_value[disable_functions] = exec,system\n", SCRIPTS)
    assert data["server"]["command"] == "php -d disable_functions=header,exec,system w.php"
    assert data["http"]["pool"]["max_jobs"] == 1


def test_an_ini_setting_with_a_dollar_is_named_and_left_out() -> None:
    data, migration = migrated("[www]\nphp_value[x] = a$b\n")
    assert data["server"]["command"] == "php worker.php"
    assert outcome(migration, "php_value[x]") == "ignored"


def test_global_settings() -> None:
    settings = "pid = /run/x.pid\nlog_level = notice\nerror_log = /var/log/fpm.log\nprocess_control_timeout = 20\n"
    data, migration = migrated(f"[global]\n{settings}[www]\npm = static\n")
    assert (data["logs"]["level"], data["logs"]["output"]) == ("info", ["/var/log/fpm.log"])
    assert data["endure"]["grace_period"] == "20s"
    assert outcome(migration, "pid") == "ignored"


def test_of_several_pools_one_must_be_named() -> None:
    text = "[a]\npm = static\npm.max_children = 2\n[b]\npm = static\npm.max_children = 3\n"
    with pytest.raises(Unmigratable, match=r"several pools: a, b"):
        migrated(text)
    data, migration = migrated(text, name="b")
    assert data["http"]["pool"]["num_workers"] == 3
    assert outcome(migration, "[a]") == "ignored"
    with pytest.raises(Unmigratable, match="no pool c"):
        migrated(text, name="c")


def test_a_file_with_only_includes_says_which_file_to_name() -> None:
    assert is_fpm("include = /etc/php/8.2/fpm/pool.d/*.conf\n")
    with pytest.raises(Unmigratable, match=r"pool\.d/www\.conf"):
        migrated("include = /etc/php/8.2/fpm/pool.d/*.conf\n")


def test_an_unknown_application_gets_a_command_that_is_called_a_guess() -> None:
    unknown = Project(kind="unknown", title="nothing")
    _, migration = migrated("[www]\npm = static\n", unknown)
    assert any("a guess" in entry.note for entry in migration.entries if entry.outcome == "added")


def test_the_variables_of_octane_are_added(tmp_path: Path) -> None:
    for name in ("artisan", "bootstrap/app.php", "vendor/laravel/octane/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    data, _ = migrated("[www]\npm = static\n", look(Folder(tmp_path), php=True))
    assert data["server"]["env"]["LARAVEL_OCTANE"] == "1"


def test_every_setting_is_reported_once() -> None:
    names = [
        name
        for name in known_settings()
        if name not in ("env", "php_value", "php_admin_value", "php_flag", "php_admin_flag")
    ]
    text = "[www]\n" + "\n".join(f"{name} = 1" for name in names)
    _, migration = migrated(text)
    told = [entry.source for entry in migration.entries if entry.source]
    assert sorted(told) == sorted(names)
    assert all(entry.note for entry in migration.entries if entry.outcome in ("ignored", "different", "added"))


def test_the_pool_that_debian_ships() -> None:
    found = sorted(Path("/etc/php").glob("*/fpm/pool.d/www.conf"))
    if not found:
        pytest.skip("php-fpm is not installed")
    data, migration = migrated(found[-1].read_text("utf-8"))
    assert data["http"]["fcgi"]["address"].startswith("unix:///run/php/")
    assert migration.count("ignored") > 0
    assert report_text(migration, "www.conf").startswith("www.conf: the pool [www] of PHP-FPM\n")


SETTINGS = st.lists(
    st.tuples(
        st.sampled_from([*known_settings(), "odd.key"]),
        st.sampled_from(["", "[A]", "[memory_limit]", "[a b]"]),
        st.text(alphabet="0123456789 smhd$'\"\\/.:-_aZ[]=;%{}\t", max_size=20),
    ),
    max_size=15,
)


@settings(deadline=None, max_examples=100)
@given(SETTINGS)
def test_whatever_a_pool_says_the_new_config_is_valid(lines: list[tuple[str, str, str]]) -> None:
    text = "[www]\npm = dynamic\n" + "\n".join(f"{key}{argument} = {value}" for key, argument, value in lines)
    _, migration = migrated(text)
    reported = {entry.line for entry in migration.entries}
    for setting in parse_pools(text)[1].settings:
        assert setting.line in reported, setting
