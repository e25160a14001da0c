"""`rr` itself: version, help, completion, exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.completion import SHELLS, script
from pyroadrunner.cli.main import main


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_the_version_has_the_form_octane_expects(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"rr version 2025\.1\.\d+ \(pyroadrunner .+, Python 3\..+\), OS: \w+, arch: \w+\n", out)
    assert err == ""


@pytest.mark.parametrize("arguments", [[], ["-h"], ["help"]])
def test_help_names_every_command_and_flag(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {' '.join(command.words)} " in out
    for flag in SHARED:
        assert flag.spelled() in out


def test_help_of_a_command_shows_its_own_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "workers"]) == 0
    assert "--interactive" in capsys.readouterr().out
    assert main(["workers", "-h"]) == 0
    assert "rr workers [PLUGIN...] [flags]" in capsys.readouterr().out
    assert main(["config"]) == 0
    assert "config check" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["foo"], ["serve", "--x"], ["help", "foo"], ["completion"], ["completion", "x"]])
def test_a_wrong_command_line_is_reported_and_exits_1(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.endswith("\nrr help shows all commands and flags\n")


def test_only_the_one_file_can_be_unpacked(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--unpack", "/srv/rr"]) == 1
    assert capfd.readouterr().err.startswith("only the one file can be unpacked")


def test_php_library_prints_the_folder_that_workers_load_it_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["php-library"]) == 0
    folder = Path(capsys.readouterr().out.removesuffix("\n"))
    assert folder.is_absolute()
    assert (folder / "autoload.php").is_file()
    assert (folder / "src" / "Worker.php").is_file()


def test_a_missing_php_library_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyroadrunner.plugins.server.php_library._FOLDERS", (tmp_path,))
    assert main(["php-library"]) == 1
    assert "install pyroadrunner from a wheel" in capfd.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command(shell: str) -> None:
    text = script(shell)
    for command in COMMANDS:
        assert all(re.search(rf"\b{word}\b", text) for word in command.words)
