"""`.pid`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyroadrunner.cli.serve.pid_file import NoPidFile, PidFile, read_pid
from pyroadrunner.errors import RoadRunnerError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_pid_is_written_without_a_newline_and_removed(folder: Path) -> None:
    file = PidFile()
    file.write()
    assert (folder / ".pid").read_bytes() == str(os.getpid()).encode()
    assert read_pid() == os.getpid()
    os.chdir("/")
    file.remove()
    file.remove()
    assert not (folder / ".pid").exists()


@pytest.mark.parametrize("older", [False, True])
def test_only_its_owner_can_write_it(folder: Path, older: bool) -> None:
    if older:
        (folder / ".pid").touch()
        (folder / ".pid").chmod(0o666)
    before = os.umask(0)
    try:
        PidFile().write()
    finally:
        os.umask(before)
    assert (folder / ".pid").stat().st_mode & 0o777 == 0o644


def test_the_file_of_another_server_stays(folder: Path) -> None:
    file = PidFile()
    file.write()
    (folder / ".pid").write_text("1")
    file.remove()
    assert (folder / ".pid").read_text() == "1"


def test_a_trailing_newline_is_accepted(folder: Path) -> None:
    (folder / ".pid").write_text("42\n")
    assert read_pid() == 42


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1 2", "99999999999999999999", "٣"])
def test_any_other_content_is_reported(folder: Path, text: str) -> None:
    (folder / ".pid").write_text(text, encoding="utf-8")
    with pytest.raises(NoPidFile, match="holds no process id"):
        read_pid()


def test_a_missing_file_is_reported_with_advice() -> None:
    with pytest.raises(NoPidFile, match=r"open \.pid: no such file or directory, to create a \.pid file, you must run"):
        read_pid()


def test_an_unwritable_folder_is_reported(folder: Path) -> None:
    (folder / ".pid").mkdir()
    with pytest.raises(RoadRunnerError, match=r"-p: open .*: is a directory"):
        PidFile().write()
