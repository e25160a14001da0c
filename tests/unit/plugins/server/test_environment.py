"""The environment of workers, and its precedence."""

from __future__ import annotations

from pyroadrunner.plugins.server.environment import worker_environment
from pyroadrunner.version import ROADRUNNER_VERSION


def made(**changes: object) -> dict[str, str]:
    given: dict[str, object] = {"relay": "pipes", "rpc": "", "library": "", "server": {}, "plugin": {}}
    base = {"HOME": "/root", "RR_MODE": "inherited"}
    return worker_environment(base, **{**given, **changes})  # type: ignore[arg-type]


def test_the_servers_own_environment_is_the_base() -> None:
    assert made() == {"HOME": "/root", "RR_MODE": "inherited", "RR_RELAY": "pipes", "RR_VERSION": ROADRUNNER_VERSION}


def test_rr_rpc_is_set_only_with_an_rpc_section() -> None:
    assert "RR_RPC" not in made()
    assert made(rpc="tcp://127.0.0.1:6001")["RR_RPC"] == "tcp://127.0.0.1:6001"


def test_the_folder_of_the_php_library_is_set_unless_the_environment_sets_another() -> None:
    assert "RR_PHP_LIBRARY" not in made()
    assert made(library="/lib/php")["RR_PHP_LIBRARY"] == "/lib/php"
    assert made(library="/lib/php", server={"rr_php_library": "/own"})["RR_PHP_LIBRARY"] == "/own"
    base = {"RR_PHP_LIBRARY": "/exported"}
    given = {"relay": "pipes", "rpc": "", "library": "/lib/php", "server": {}, "plugin": {}}
    assert worker_environment(base, **given)["RR_PHP_LIBRARY"] == "/exported"  # type: ignore[arg-type]


def test_names_are_upper_cased_and_values_expanded_from_the_base() -> None:
    assert made(server={"app_dir": "$HOME/app"})["APP_DIR"] == "/root/app"


def test_server_env_overrides_relay_and_rpc_but_neither_version_nor_the_plugin() -> None:
    env = made(
        rpc="tcp://127.0.0.1:6001",
        server={"rr_relay": "r", "rr_rpc": "p", "rr_version": "v", "rr_mode": "m"},
        plugin={"RR_MODE": "http"},
    )
    assert (env["RR_RELAY"], env["RR_RPC"]) == ("r", "p")
    assert (env["RR_VERSION"], env["RR_MODE"]) == (ROADRUNNER_VERSION, "http")
