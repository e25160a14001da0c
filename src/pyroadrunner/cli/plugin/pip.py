"""Runs pip. Only wheels are installed: building from source runs code of the package and needs compilers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyroadrunner.cli.plugin.environment import Environment
from pyroadrunner.errors import RoadRunnerError

_PLAIN = ("--disable-pip-version-check", "--no-input")
_NETWORK = ("--retries", "1", "--timeout", "10")


class PipFailed(RoadRunnerError):
    """pip could not do it; the text says why and what to do."""


def install(environment: Environment, requirements: Sequence[str], *, source: str, upgrade: bool) -> None:
    """Install packages with what they need.

    Args:
        source: a folder with wheels, used in place of the package index; empty = the index that pip is set up for.

    Raises:
        PipFailed: nothing was changed.
    """
    where = ["--no-index", "--find-links", source] if source else list(_NETWORK)
    with tempfile.TemporaryDirectory(prefix="rr-plugin-") as place:
        constraints = Path(place) / "constraints.txt"
        constraints.write_text("".join(f"{pin}\n" for pin in environment.pinned), "utf-8")
        options = ["--only-binary", ":all:", "--constraint", str(constraints), *where]
        _run(environment, "install", [*options, *(["--upgrade"] if upgrade else []), "--", *requirements], source)


def uninstall(environment: Environment, names: Sequence[str]) -> None:
    """Remove packages; what they needed stays.

    Raises:
        PipFailed: as it says.
    """
    _run(environment, "uninstall", ["--yes", "--", *names], "")


def _run(environment: Environment, action: str, arguments: Sequence[str], source: str) -> None:
    pip = [str(environment.python), "-I", "-m", "pip", *_PLAIN, action, "--root-user-action", "ignore", *arguments]
    try:
        done = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError as wrong:
        raise PipFailed(f"{environment.python}: {wrong.strerror or wrong}") from wrong
    if done.returncode:
        raise PipFailed(explain(done.stdout, done.stderr, sys.version_info[:2], from_folder=bool(source)))


def explain(told: str, said: str, python: tuple[int, int], *, from_folder: bool) -> str:
    """What pip's messages mean for the user. Pure.

    Args:
        told: its stdout.
        said: its stderr.
        python: version of the interpreter.
        from_folder: whether the packages had to come from a folder.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this Python environment has no pip: install the plugin with the tool that made it (uv pip install NAME)"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    conflict = told.partition("The conflict is caused by:\n")[2].partition("\n\n")[0]
    if conflict:
        return f"this does not fit the installed server:\n{conflict.rstrip()}"
    if not from_folder and any("connection broken by" in line or "ConnectTimeout" in line for line in lines):
        return (
            "the package index does not answer. Without a network, fetch the wheels elsewhere (pip download NAME) and"
            " name their folder: rr plugin install --from FOLDER NAME"
        )
    text = "\n".join(errors or lines[-3:]) or "pip failed and gave no reason"
    if "(from versions: none)" in text:
        text += f"\nthere is no wheel for Python {python[0]}.{python[1]}; packages in source form are not built here"
    return text
