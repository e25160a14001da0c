"""`vendor/bin/pyroadrunner`: finds rr for Composer's users, or says how to install it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.php import require_php
from support.server import RR

PHP = Path(__file__).parents[2] / "php"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    require_php()
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def finder(project: Path, *arguments: str, path: str = "/usr/bin:/bin", **env: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the script in an environment without our `rr`."""
    command = [require_php(), str(PHP / "bin" / "pyroadrunner"), *arguments]
    environment = {"PATH": path, "HOME": str(project.parent), **env}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_composer_installs_the_script() -> None:
    assert json.loads((PHP / "composer.json").read_text())["bin"] == ["bin/pyroadrunner"]
    assert os.access(PHP / "bin" / "pyroadrunner", os.X_OK)


def test_without_rr_it_says_how_to_install_it(project: Path) -> None:
    (project / "rr").write_text("#!/bin/sh\necho 'rr version 2025.1.2 (build time: now), OS: linux, arch: amd64'\n")
    (project / "rr").chmod(0o755)  # RoadRunner's own
    code, out, err = finder(project)
    assert (code, out) == (1, "")
    assert err.startswith("rr is not installed. One of these installs it:\n  pipx install pyroadrunner")


def test_it_finds_rr_in_the_path(project: Path) -> None:
    assert finder(project, path=f"{RR.parent}:/bin:/usr/bin") == (0, f"{RR.resolve()}\n", "")


def test_get_makes_it_available_where_octane_looks_for_it(project: Path) -> None:
    path = f"{RR.parent}:/bin:/usr/bin"
    assert finder(project, "get", path=path) == (0, f"./rr -> {RR.resolve()}\n", "")
    assert (project / "rr").resolve() == RR.resolve()
    assert finder(project, "get-binary") == (0, f"./rr is there: {RR.resolve()}\n", "")
    assert finder(project) == (0, f"{RR.resolve()}\n", "")  # without PATH it finds ./rr
    (project / "rr").unlink()
    (project / "rr").write_text("mine")
    code, _, err = finder(project, "get", path=path)
    assert (code, err) == (1, "./rr exists and is another program; remove it first\n")


def test_other_commands_are_those_of_rr(project: Path) -> None:
    code, out, _ = finder(project, "--version", RR_BINARY=str(RR))
    assert code == 0
    assert out.startswith("rr version 2025.1.")
    assert finder(project, "no-such-command", RR_BINARY=str(RR))[0] == 1


def test_a_wrong_name_is_reported(project: Path) -> None:
    assert finder(project, RR_BINARY="/bin/true") == (
        1,
        "",
        "RR_BINARY=/bin/true is not the executable of pyroadrunner\n",
    )
