"""Packages of the examples, installed from their sources as a user would."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

EXAMPLES = Path(__file__).parents[2] / "examples"


def installed(package: Path) -> Path:
    """Install a package into a folder of its own, for ``PYTHONPATH``, once in this process; nothing is fetched."""
    return Path(_folder(package).name)


@cache
def _folder(package: Path) -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix=f"{package.name}-")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, *offline, "--target", folder.name, str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder
