"""From file, flags and environment to the raw config."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.load import LoadOptions, load, load_without_file, prepare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder for the test; the environment and the folder are restored afterwards."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.delenv("DOTENV_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def refused(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(LoadOptions(**options))
    return str(caught.value)


# -- where the file is


def test_the_default_file_is_read_from_the_current_folder(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"\nHTTP: {Address: "Host:1"}'})
    raw = load(LoadOptions())
    assert raw.data == {"version": "3", "http": {"address": "Host:1"}}
    assert raw.path == str(folder / ".rr.yaml")
    assert Path.cwd() == folder


def test_the_default_working_directory_is_the_folder_of_the_config(folder: Path) -> None:
    write(folder, {"app/conf/rr.yml": 'version: "3"'})
    load(LoadOptions(path="app/conf/rr.yml"))
    assert Path.cwd() == folder / "app/conf"


def test_the_path_is_relative_to_the_working_directory(folder: Path) -> None:
    write(folder, {"app/conf/rr.yml": 'version: "3"'})
    raw = load(LoadOptions(path="conf/rr.yml", workdir="app"))
    assert Path.cwd() == folder / "app"
    assert str(raw.origin(("version",))) == "conf/rr.yml:1"


def test_prepared_options_may_be_prepared_again(folder: Path) -> None:
    write(folder, {"app/rr.yml": 'version: "3"'})
    once = prepare(LoadOptions(path="rr.yml", workdir="app"))
    assert prepare(once) == once
    assert load(once).data == {"version": "3"}


def test_the_error_for_a_missing_file_has_a_hint(folder: Path) -> None:
    text = refused()
    assert str(folder / ".rr.yaml") in text
    assert "no such file or directory" in text
    assert "-c" in text
    assert "rr serve worker.php" in text


@pytest.mark.parametrize("options", [{"path": "nope/.rr.yaml"}, {"workdir": "nope"}])
def test_a_missing_folder_is_named(folder: Path, options: dict[str, str]) -> None:
    text = refused(**options)
    assert text.startswith("chdir ")
    assert "nope: no such file or directory" in text


def test_a_folder_or_a_binary_file_is_an_error(folder: Path) -> None:
    (folder / "dir.yaml").mkdir()
    (folder / "bin.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is a directory" in refused(path="dir.yaml")
    assert "not UTF-8" in refused(path="bin.yaml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a:\n  - b\n c: d", ".rr.yaml:3: column 2: "),
        ("a: 1\na: 2", ".rr.yaml:2: column 1: `a` is set twice, first on line 1"),
        (
            "cron: */5 * * * *",
            ".rr.yaml:1: column 8: did not find expected alphabetic or numeric character while scanning an alias;"
            " quote a value that begins with *, such as a cron expression",
        ),
        ("- a\n- b", ".rr.yaml: has no sections; expected a map"),
        ("just text", ".rr.yaml: has no sections; expected a map"),
        ("http: 1\nHttp: 2", ".rr.yaml:2: http: is set twice, first at .rr.yaml:1"),
        ("http: {}", "should contain a version"),
        ("version: 3", '.rr.yaml:1: version should be a string: `version: "3"`, actual type is: int'),
        ('version: ""', "should contain a version"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line(folder: Path, text: str, fault: str) -> None:
    write(folder, {".rr.yaml": text})
    assert fault in refused()


# -- flags


def test_an_empty_file_with_flags_is_a_config_as_octane_starts_it(folder: Path) -> None:
    write(folder, {".rr.yaml": ""})
    raw = load(LoadOptions(overrides=("version=3", "http.address=127.0.0.1:8000", "http.static.dir=/app/public")))
    assert raw.data == {"version": "3", "http": {"address": "127.0.0.1:8000", "static": {"dir": "/app/public"}}}


def test_a_command_may_accept_a_config_without_version_as_octane_reloads(folder: Path) -> None:
    write(folder, {".rr.yaml": ""})
    options = LoadOptions(overrides=("rpc.listen=tcp://127.0.0.1:6001",), require_version=False)
    assert load(options).data == {"rpc": {"listen": "tcp://127.0.0.1:6001"}}


def test_a_flag_overrides_the_file_and_all_bad_flags_are_reported(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"\nrpc: {listen: a}'})
    assert load(LoadOptions(overrides=("rpc.listen=b",))).data["rpc"] == {"listen": "b"}
    text = refused(overrides=("foo", "x=", "rpc.listen=b"))
    assert len(text.splitlines()) == 2


# -- variables


def test_variables_are_expanded_in_file_and_flags(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "RR_TEST_HOST", "h")
    write(folder, {".rr.yaml": 'version: "3"\nhttp: {address: "${RR_TEST_HOST}:${RR_TEST_PORT:-80}"}'})
    raw = load(LoadOptions(overrides=("rpc.listen=$RR_TEST_HOST",)))
    assert raw.data["http"] == {"address": "h:80"}
    assert raw.data["rpc"] == {"listen": "h"}
    assert raw.origin(("http", "address")).template == "${RR_TEST_HOST}:${RR_TEST_PORT:-80}"


def test_a_dollar_that_expands_to_nothing_is_a_warning(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"\nredis:\n  password: pa$$word'})
    (notice,) = load(LoadOptions(overrides=("a.b=x",))).notices
    assert str(notice).startswith(".rr.yaml:3: redis.password: has a $ that expands to nothing")
    assert notice.kind == "doubtful"


def test_a_dotenv_file_adds_variables_and_changes_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "RR_TEST_SET", "old")
    write(folder, {"app/.env": "RR_TEST_SET=new\nRR_TEST_NEW=1", "app/.rr.yaml": 'version: "3"\na: $RR_TEST_NEW'})
    assert load(LoadOptions(path="app/.rr.yaml", dotenv=".env")).data["a"] == "1"
    assert os.environ["RR_TEST_SET"] == "old"


@pytest.mark.parametrize(("variable", "expected"), [("b.env", "b"), ("", "")])
def test_the_variable_for_dotenv_overrides_the_flag_even_if_it_is_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, expected: str
) -> None:
    monkeypatch.setitem(os.environ, "DOTENV_PATH", variable)
    write(folder, {"a.env": "RR_TEST_X=a", "b.env": "RR_TEST_X=b", ".rr.yaml": 'version: "3"\na: $RR_TEST_X'})
    assert load(LoadOptions(dotenv="a.env")).data["a"] == expected


def test_a_missing_or_malformed_dotenv_file_is_an_error(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"', "bad.env": "A=1\n???"})
    assert "open nope.env: no such file or directory" in refused(dotenv="nope.env")
    assert refused(dotenv="bad.env").startswith("bad.env:2: ")


def test_an_envfile_is_read_only_with_the_experimental_flag(folder: Path) -> None:
    write(folder, {"c/.rr.yaml": 'version: "3"\nenvfile: x.env\na: $RR_TEST_Y', "c/x.env": "RR_TEST_Y=y"})
    off = load(LoadOptions(path="c/.rr.yaml", workdir="."))
    assert off.data["a"] == ""
    assert "is read only with the flag -e" in str(off.notices[0])
    on = load(LoadOptions(path="c/.rr.yaml", workdir=str(folder), experimental=True))
    assert on.data["a"] == "y"
    assert on.notices == ()


# -- includes


def test_an_include_replaces_whole_sections_and_overrides_flags(folder: Path) -> None:
    write(
        folder,
        {
            ".rr.yaml": 'version: "3"\ninclude: [a.yaml, b.yaml]\nhttp: {address: x, raw_body: true}\nrpc: {listen: r}',
            "a.yaml": 'version: "3"\nhttp: {address: a}\nlogs: {level: info}',
            "b.yaml": 'version: "3"\ninclude: nope.yaml\nlogs:\n  level: ${RR_TEST_LEVEL:-warn}\nrpc:',
        },
    )
    raw = load(LoadOptions(overrides=("http.address=flag",)))
    assert raw.data["http"] == {"address": "a"}
    assert raw.data["logs"] == {"level": "warn"}
    assert raw.data["rpc"] == {"listen": "r"}
    assert str(raw.origin(("http", "raw_body"))) == "a.yaml:2"
    assert str(raw.origin(("logs", "level"))) == "b.yaml:4"
    assert raw.origin(("logs",)).kind == "include"


def test_a_flag_may_include_several_files_in_one_string(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"', "a.yaml": 'version: "3"\na: 1', "b.yaml": 'version: "3"\nb: 2'})
    data = load(LoadOptions(overrides=("include=a.yaml b.yaml",))).data
    assert (data["a"], data["b"]) == (1, 2)


@pytest.mark.parametrize(
    ("include", "text"),
    [
        ("nope.yaml", ".rr.yaml:2: open nope.yaml: no such file or directory"),
        ("other.yaml", "other.yaml:1: version in included file must be the same as in root"),
        ("none.yaml", "none.yaml: version in included file must be the same as in root"),
        ("broken.yaml", "broken.yaml:2: "),
        ("{a: 1}", ".rr.yaml:2: include: is not a list of files"),
    ],
)
def test_an_unusable_include_is_an_error(folder: Path, include: str, text: str) -> None:
    files = {"other.yaml": 'version: "2.7"', "none.yaml": "a: 1", "broken.yaml": "a: 1\na: 2"}
    write(folder, {**files, ".rr.yaml": f'version: "3"\ninclude: {include}'})
    assert refused().startswith(text)


# -- the rest


def test_an_old_version_is_a_warning(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "2.7"'})
    assert "is an old format" in str(load(LoadOptions()).notices[0])


def test_endure_accepts_flags_and_variables_like_every_section(folder: Path) -> None:
    write(folder, {".rr.yaml": 'version: "3"\nendure: {grace_period: "${RR_TEST_G:-5s}"}'})
    assert load(LoadOptions()).data["endure"] == {"grace_period": "5s"}
    assert load(LoadOptions(overrides=("endure.grace_period=1s",))).data["endure"] == {"grace_period": "1s"}


def test_a_config_without_a_file_accepts_flags_and_needs_no_version(folder: Path) -> None:
    given = {"http": {"address": ":8080"}, "server": {"command": ["php", "worker.php"]}}
    options = LoadOptions(overrides=("http.pool.num_workers=2",))
    raw = load_without_file(given, options, source="rr serve worker.php")
    assert raw.data["http"] == {"address": ":8080", "pool": {"num_workers": "2"}}
    assert raw.path == ""
    assert str(raw.origin(("server", "command"))) == "rr serve worker.php"
    assert given["http"] == {"address": ":8080"}
