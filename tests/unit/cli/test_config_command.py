"""`rr config check`, `show` and `schema`: output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroadrunner.cli.config import command
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.container.config import EndureConfig
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.server.config import ServerConfig

GOOD = 'version: "3"\nserver: {command: php worker.php}\nhttp: {address: "127.0.0.1:8080"}\n'
BAD = 'version: "3"\nserver: {command: php}\nhttp:\n  adress: x\n  raw_body: maybe\nnsq: {}\n'


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], LoadOptions]:
    """Writes a config and returns the options to load it; the sections are those of three models."""
    models = {"http": HttpConfig, "server": ServerConfig, "endure": EndureConfig}
    monkeypatch.setattr(command, "section_models", lambda: models)
    monkeypatch.delenv("DOTENV_PATH", raising=False)
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> LoadOptions:
        (tmp_path / ".rr.yaml").write_text(text, encoding="utf-8")
        return LoadOptions()

    return written


Options = Callable[[str], LoadOptions]


def test_a_good_config_passes(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(options(GOOD), as_json=False) == 0
    assert capsys.readouterr() == ("2 sections, no faults\n", "")


def test_unknown_keys_are_errors_in_a_check_and_all_are_in_file_order(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.check(options(BAD), as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == [".rr.yaml:4:", ".rr.yaml:5:", "warning:", "2"]
    assert lines[0].endswith("did you mean `address`?")


def test_a_check_as_json(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(options(BAD), as_json=True) == 1
    data = json.loads(capsys.readouterr().out)
    assert [(fault["kind"], fault["line"]) for fault in data["faults"]] == [("unknown", 4), ("fault", 5)]
    assert [warning["kind"] for warning in data["warnings"]] == ["unbuilt"]


def test_middleware_that_can_not_be_imported_is_an_error_with_the_text_of_the_start(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path.cwd() / "loud.py").write_text("print('hello')\nclass Layer: ...\nname = 'text'\n", encoding="utf-8")
    (Path.cwd() / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    config = GOOD + (
        "  middleware: [gzip, 'loud:Layer', mine, 'loud:Layre', loud.name, 'broken:Layer']\n"
        "  custom: {mine: {class: 'no_such_package:Layer'}}\n"
    )
    config = config.replace('http: {address: "127.0.0.1:8080"}', "http:\n  address: 127.0.0.1:8080")
    assert command.check(options(config), as_json=True) == 1
    out, err = capsys.readouterr()
    assert err == "hello\n", "what a module prints is not the answer"
    found = [(fault["path"], fault["line"], fault["message"].partition(";")[0]) for fault in json.loads(out)["faults"]]
    assert found == [
        ("http.middleware[2]", 5, "mine: no_such_package:Layer can't be imported: No module named 'no_such_package'"),
        ("http.middleware[3]", 5, "loud:Layre: loud:Layre can't be imported: module 'loud' has no attribute 'Layre'"),
        ("http.middleware[4]", 5, "loud.name: loud.name is not an ASGI middleware class"),
        ("http.middleware[5]", 5, "broken:Layer: broken:Layer can't be imported: ZeroDivisionError: division by zero"),
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_unreadable_file_is_an_error_like_others(
    options: Options, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    assert command.check(options("a: b: c"), as_json=as_json) == 1
    assert "mapping values are not allowed" in capsys.readouterr().out


def test_the_effective_config_is_shown_and_secrets_only_on_request(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.replace("worker.php}", "worker.php, env: {app_key: hidden}}")
    assert command.show(options(text), as_json=False, reveal=False) == 0
    shown = capsys.readouterr().out
    assert "address: 127.0.0.1:8080" in shown
    assert "# .rr.yaml:3" in shown
    assert "grace_period: 30s" in shown
    assert "hidden" not in shown
    assert command.show(options(text), as_json=True, reveal=True) == 0
    assert json.loads(capsys.readouterr().out)["config"]["server"]["env"] == {"app_key": "hidden"}


def test_a_config_with_errors_is_shown_as_far_as_possible(options: Options, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.show(options(BAD), as_json=False, reveal=False) == 1
    out, err = capfd.readouterr()
    assert "raw_body: maybe" in out
    assert err.startswith(".rr.yaml:5: http.raw_body: ")


def test_an_unreadable_config_can_not_be_shown(options: Options, capfd: pytest.CaptureFixture[str]) -> None:
    assert command.show(options("[1]"), as_json=False, reveal=False) == 1
    assert capfd.readouterr() == ("", '.rr.yaml: has no sections; expected a map, such as `version: "3"`\n')


def test_the_schema_is_json(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    options("")
    assert command.schema() == 0
    assert json.loads(capsys.readouterr().out)["properties"]["http"]["additionalProperties"] is False
