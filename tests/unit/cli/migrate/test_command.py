"""`rr migrate`: what it prints, what it writes, what it leaves alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pyroadrunner.cli.migrate import command
from pyroadrunner.errors import RoadRunnerError

POOL = "[www]\npm = static\npm.max_children = 4\nlisten = /run/php.sock\n"
UNIT = json.dumps({"applications": {"blog": {"type": "php", "root": "/www", "processes": 3}}})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "index.php").write_text("<?php", encoding="utf-8")
    (tmp_path / "www.conf").write_text(POOL, encoding="utf-8")
    (tmp_path / "unit.json").write_text(UNIT, encoding="utf-8")
    return tmp_path


def migrate(file: str, name: str = "", *, write: bool = False, force: bool = False, report: str = "text") -> int:
    return command.run(file, name, write=write, force=force, report=report)


def test_without_write_the_config_is_on_stdout_and_the_report_on_stderr(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert migrate("www.conf") == 0
    out, err = capfd.readouterr()
    assert "num_workers: 4" in out
    assert "www.conf: the pool [www] of PHP-FPM" in err
    assert "nothing was written: rr migrate www.conf --write" in err
    assert not (folder / ".rr.yaml").exists()


@pytest.mark.parametrize(("file", "workers"), [("www.conf", 4), ("unit.json", 3)])
def test_write_writes_the_config_and_the_worker(
    file: str, workers: int, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert migrate(file, write=True) == 0
    assert f"num_workers: {workers}" in (folder / ".rr.yaml").read_text("utf-8")
    assert "Script::next" in (folder / "rr-worker.php").read_text("utf-8")
    assert "wrote .rr.yaml, rr-worker.php; next: rr config check" in capfd.readouterr().out


def test_files_are_overwritten_only_with_force_and_the_old_config_is_kept(folder: Path) -> None:
    (folder / ".rr.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(RoadRunnerError, match="exists and is not overwritten"):
        migrate("www.conf", write=True)
    assert migrate("www.conf", write=True, force=True) == 0
    assert (folder / ".rr.yaml.before").read_text("utf-8") == "mine"
    (folder / "rr-worker.php").write_text("mine", encoding="utf-8")
    (folder / ".rr.yaml").unlink()
    with pytest.raises(RoadRunnerError, match=r"rr-worker\.php exists"):
        migrate("www.conf", write=True)


def test_a_config_of_roadrunner_is_migrated_in_place(folder: Path) -> None:
    old = 'version: "2.7"\nserver: {command: php worker.php}\n'
    (folder / ".rr.yaml").write_text(old, encoding="utf-8")
    assert migrate(".rr.yaml", write=True) == 0
    assert (folder / ".rr.yaml").read_text("utf-8") == old.replace("2.7", "3")
    assert (folder / ".rr.yaml.before").read_text("utf-8") == old


def test_a_config_that_needs_no_change_is_left_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = 'version: "3"\nserver: {command: php worker.php}\n'
    (folder / ".rr.yaml").write_text(text, encoding="utf-8")
    assert migrate(".rr.yaml") == 0
    assert capfd.readouterr().err.endswith("the config stays as it is\n")
    assert migrate(".rr.yaml", write=True) == 0
    assert "the config stays as it is" in capfd.readouterr().out
    assert not (folder / ".rr.yaml.before").exists()


def test_the_report_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert migrate("www.conf", report="json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["counts"]["kept"] == 2
    assert "num_workers: 4" in told["config"]
    assert list(told["files"]) == ["rr-worker.php"]
    assert {"outcome", "source", "line", "target", "note"} == set(told["entries"][0])


def test_a_fault_of_the_new_config_is_in_the_report(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "old.yaml").write_text('version: "3"\nserver: {relay: pipes}\n', encoding="utf-8")
    assert migrate("old.yaml") == 0
    assert "server.command: is required" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("file", "name", "report", "reason"),
    [
        ("", "", "text", "name a file"),
        ("nope.conf", "", "text", "no such file or directory"),
        ("www.conf", "other", "text", "no pool other"),
        ("www.conf", "", "xml", "text or json"),
        ("nginx.conf", "", "text", "no config of PHP-FPM"),
        ("old.yaml", "www", "text", "only pools and applications have names"),
    ],
)
def test_what_is_wrong_is_said(file: str, name: str, report: str, reason: str, folder: Path) -> None:
    (folder / "nginx.conf").write_text("server { listen 80; }", encoding="utf-8")
    (folder / "old.yaml").write_text('version: "3"', encoding="utf-8")
    with pytest.raises(RoadRunnerError, match=reason):
        migrate(file, name, report=report)


def test_a_pool_needs_no_extension(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "pool").write_text(POOL, encoding="utf-8")
    assert migrate("pool") == 0
    assert "pool: the pool [www] of PHP-FPM" in capfd.readouterr().err


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(POOL.encode())))
    assert migrate("-") == 0
    out, err = capfd.readouterr()
    assert "num_workers: 4" in out
    assert "-: the pool [www] of PHP-FPM" in err


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("empty.conf", b" \n", "empty.conf is empty"),
        ("broken.yaml", b"a: [1", "broken.yaml: line 2: "),
        ("list.json", b"[1]", "list.json: the file has no sections"),
        ("two.conf", b"[a]\npm=static\n[b]\npm=static\n", "two.conf: the file has several pools: a, b"),
    ],
)
def test_an_error_names_the_file(folder: Path, name: str, text: bytes, problem: str) -> None:
    (folder / name).write_bytes(text)
    with pytest.raises(RoadRunnerError) as refused:
        migrate(name)
    assert str(refused.value).startswith(problem)


def test_a_target_that_can_not_be_written_is_named(folder: Path) -> None:
    (folder / ".rr.yaml").write_text("mine", encoding="utf-8")
    (folder / ".rr.yaml.before").mkdir()
    with pytest.raises(RoadRunnerError, match=r"open \.rr\.yaml\.before: is a directory"):
        migrate("www.conf", write=True, force=True)
    assert (folder / ".rr.yaml").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("DB_PASSWORD", "hunter2", "different"),
        ("DATABASE_URL", "mysql://app:hunter2@db/app", "different"),
        ("DB_HOST", "db.local", "kept"),
        ("APP_KEY", "$APP_KEY", "kept"),
    ],
)
def test_a_secret_that_is_copied_is_reported(
    folder: Path, name: str, value: str, outcome: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "www.conf").write_text(f"{POOL}env[{name}] = {value}\n", encoding="utf-8")
    assert migrate("www.conf", report="json") == 0
    entries = json.loads(capfd.readouterr().out)["entries"]
    found = next(entry for entry in entries if entry["target"] == f"server.env.{name}")
    assert found["outcome"] == outcome
    assert ("a secret in clear text" in found["note"]) == (outcome == "different")
    assert "hunter2" not in found["note"]


def test_a_number_of_processes_that_is_none_is_reported(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "www.conf").write_text("[www]\npm = dynamic\npm.max_children = many\n", encoding="utf-8")
    assert migrate("www.conf") == 0
    assert "not a number of processes: many" in capfd.readouterr().err
