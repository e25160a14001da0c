"""`rr init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pyroadrunner.cli.init import command
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.errors import RoadRunnerError

IN_USE = command.in_use


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOTENV_PATH", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(command, "in_use", lambda port: False)
    return tmp_path


def init(*, force: bool = False, to_stdout: bool = False, systemd: bool = False) -> int:
    return command.run(LoadOptions(), force=force, to_stdout=to_stdout, systemd=systemd)


def test_it_writes_a_config_and_a_worker_and_names_the_next_command(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert init() == 0
    assert sorted(path.name for path in folder.iterdir()) == [".rr.yaml", "worker.php"]
    assert capfd.readouterr().out.splitlines() == [
        "found    an empty folder",
        "wrote    worker.php",
        "wrote    .rr.yaml",
        "note     worker.php says hello: your code goes there.",
        "next     rr serve, then open http://127.0.0.1:8080",
    ]


def test_a_missing_php_and_a_port_in_use_are_said_before_the_server_fails(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(command, "in_use", lambda port: port == 8080)
    (folder / "index.php").write_text("<?php", encoding="utf-8")
    assert init() == 0
    lines = capfd.readouterr().out.splitlines()
    assert "missing  php (8.1 or newer) on PATH: apt-get install php-cli" in lines
    assert "note     port 8080 is in use on this machine: change http.address in .rr.yaml before rr serve" in lines
    assert all(len(line) <= 100 for line in lines)


def test_a_port_is_in_use_while_a_socket_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert IN_USE(port)
    assert not IN_USE(port)


def test_it_never_overwrites_a_config(folder: Path) -> None:
    (folder / ".rr.yaml").write_text("version: '3'\n", encoding="utf-8")
    with pytest.raises(RoadRunnerError, match="exists and is not overwritten"):
        init()
    assert sorted(path.name for path in folder.iterdir()) == [".rr.yaml"]
    assert init(force=True) == 0
    assert "server:" in (folder / ".rr.yaml").read_text("utf-8")


def test_an_empty_config_as_octane_makes_it_is_filled(folder: Path) -> None:
    (folder / ".rr.yaml").write_text("\n", encoding="utf-8")
    assert init() == 0
    assert "server:" in (folder / ".rr.yaml").read_text("utf-8")


def test_it_keeps_a_worker_that_exists(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "index.php").write_text("<?php", encoding="utf-8")
    (folder / "rr-worker.php").write_text("<?php // mine", encoding="utf-8")
    assert init() == 0
    assert (folder / "rr-worker.php").read_text("utf-8") == "<?php // mine"
    assert "kept     rr-worker.php" in capfd.readouterr().out


def test_stdout_writes_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert init(to_stdout=True) == 0
    assert list(folder.iterdir()) == []
    assert 'version: "3"' in capfd.readouterr().out


def test_a_folder_without_an_application_is_an_error_that_says_what_was_looked_for(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.txt").write_text("", encoding="utf-8")
    assert init() == 1
    assert "It looked for Laravel, Symfony" in capfd.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_the_unit_names_this_folder(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "var").mkdir()
    assert init(systemd=True) == 0
    unit = (folder / "rr.service").read_text("utf-8")
    assert f"WorkingDirectory={folder}" in unit
    assert f"ReadWritePaths={folder}/var" in unit
    assert "missing  .rr.yaml: rr init writes it" in capfd.readouterr().out
    with pytest.raises(RoadRunnerError, match="exists and is not overwritten"):
        init(systemd=True)


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "end\\"])
def test_a_path_that_would_break_the_unit_is_refused(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / name).mkdir()
    monkeypatch.chdir(folder / name)
    with pytest.raises(RoadRunnerError, match="a systemd unit can't contain the path"):
        init(systemd=True)
    assert not list((folder / name).iterdir())


def test_a_config_that_can_not_be_read_is_named(folder: Path) -> None:
    (folder / ".rr.yaml").mkdir()
    with pytest.raises(RoadRunnerError, match=r"open .*\.rr\.yaml: is a directory"):
        init()
