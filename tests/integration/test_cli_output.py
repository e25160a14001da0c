"""Commands whose output is lost, or whose folder is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.server import RR


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full is a thing of Linux")
@pytest.mark.parametrize("command", [["init", "--stdout"], ["config", "schema"], ["--version"]])
def test_output_on_a_full_disk_is_no_success(command: list[str], tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([RR, *command], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "write stdout: no space left on device\n")


@pytest.mark.parametrize("command", [["init", "--stdout"], ["config", "schema"]])
def test_a_reader_that_has_seen_enough_is_no_error(command: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        done = subprocess.run([RR, *command], cwd=tmp_path, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.stderr == ""


@pytest.mark.parametrize("command", [["init"], ["serve"], ["workers"], ["config", "check"], ["stop"]])
def test_a_folder_that_was_removed_is_named(command: list[str], tmp_path: Path) -> None:
    gone = tmp_path / "release"
    gone.mkdir()
    program = ["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", str(RR), *command]
    done = subprocess.run(program, cwd=gone, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "the current folder was removed: change to another one, also if it has the same path\n"
