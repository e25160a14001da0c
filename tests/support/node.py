"""Packages for Node.js, installed by npm into a cache below the project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_CACHE = Path(__file__).parent.parent.parent / ".cache" / "node"
_TIMEOUT = 100  # seconds for the download


def require_node_package(name: str, version: str) -> tuple[str, Path]:
    """Node, and the folder ``node_modules`` with a package. Without Node, npm or the registry the test is skipped: it
    says which."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(f"{name} needs Node.js and npm, which are not installed")
    folder = _CACHE / f"{name.replace('/', '+')}-{version}"
    modules = folder / "node_modules"
    if not (modules / name / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{name}@{version}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm does not get {name}@{version} within {_TIMEOUT} s")
        if done.returncode:
            pytest.skip(f"npm can't get {name}@{version}: {done.stderr.strip()[-300:]}")
    return node, modules
