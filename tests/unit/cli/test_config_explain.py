"""`rr config explain`: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyroadrunner.cli.config import explain
from pyroadrunner.config.load import LoadOptions

CONFIG = """version: "3"
server: {command: php worker.php}
http:
  address: 127.0.0.1:${PORT:-8080}
  pool: {num_workers: 4}
kv:
  cache: {driver: redis, config: {password: hidden}}
  other: {driver: memory}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("PORT", raising=False)
    (tmp_path / ".rr.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], key: str = "", **options: object) -> str:
    assert explain.run(LoadOptions(**options), key, as_json=False) == 0  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_a_key_with_its_value_and_where_that_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "http.pool.num_workers") == (
        "http.pool.num_workers\n"
        "\n"
        "  Workers kept alive; 0 = one per CPU this process may use; at most 500.\n"
        "\n"
        "  type      whole number, at least 0\n"
        "  default   0\n"
        "  change    applied by `rr reload`\n"
        "  here      4, from .rr.yaml:5\n"
    )


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("http.address", ["here      127.0.0.1:8080, from .rr.yaml:4 from 127.0.0.1:${PORT:-8080}", "needs a restart"]),
        ("http.pool.max_jobs", ["here      0, the default", "applied by `rr reload`"]),
        ("http.socket_mode", ["default   0660"]),
        ("grpc.listen", ["here      not set: the config has no section `grpc`"]),
        ("server.command", ["default   none: the key is required"]),
        ("kv.NAME.driver", ["kv.cache.driver: redis, from .rr.yaml:7; kv.other.driver: memory, from .rr.yaml:8"]),
        ("kv.cache.config.password", ['here      "***", from .rr.yaml:7']),
        ("http.max_request_size", ["unit      MB (2**20 bytes)"]),
        ("jobs.pipelines.mails.config.exchange", ["only      with `driver: amqp`"]),
        ("logs.level", ["applied by `rr reload`", "the default"]),
        ("endure.grace_period", ["applied by `rr reload`", "here      30s, the default"]),
        ("amqp.addr", ["needs a restart"]),
    ],
)
def test_the_facts_of_a_key(key: str, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, key)
    assert [line for line in lines if line not in told] == []


def test_a_section_is_a_table_of_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "http")
    table = {line.split()[0]: " ".join(line.split()[1:]) for line in told.splitlines() if line.startswith("  ")}
    assert table["KEY"] == "TYPE DEFAULT CHANGE HERE"
    assert table["address"] == "string restart 127.0.0.1:8080"
    assert table["max_request_size"] == "whole number 1000 reload"
    assert table["pool."] == "map of keys partly"


def test_all_sections_and_which_of_them_are_here(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    assert "* http            HTTP, HTTPS and FastCGI for workers." in lines
    assert "  grpc            gRPC services." in lines


def test_without_a_config_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".rr.yaml").unlink()
    assert "here      no .rr.yaml in this folder" in printed(capsys, "http.address")


def test_a_config_that_can_not_be_read_does_not_prevent_an_explanation(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".rr.yaml").write_text("http: [", encoding="utf-8")
    assert "type      string" in printed(capsys, "http.address")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.run(LoadOptions(), "http.pool.num_workers", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["values"] == [{"key": "http.pool.num_workers", "value": 4, "source": ".rr.yaml:5"}]
    assert (told["default"], told["reload"]) == (0, "applied by `rr reload`")


def test_every_plugin_that_reloads_keys_names_them_without_running() -> None:
    from pyroadrunner.container.discover import installed
    from pyroadrunner.container.reload.keys import reloadable_keys

    assert [plugin.name for plugin in installed() if reloadable_keys(plugin.name) is None] == []
    assert reloadable_keys("logs") == ("",)
    assert "pool.num_workers" in (reloadable_keys("http") or ())
