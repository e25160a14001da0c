"""Programs for Node, with the packages that ``scripts/node-tools.sh`` installs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_HOME = Path(__file__).parent.parent.parent / ".cache" / "node"


def require_node() -> tuple[str, dict[str, str]]:
    """Path of Node, and the environment in which it finds the packages with ``require``.

    Without them the test is skipped; it fails in CI if there is a Node (``CI`` is set).
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    if not (_HOME / "complete").exists():
        why = "the packages for Node are not installed: run scripts/node-tools.sh"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return node, {**os.environ, "NODE_PATH": str(_HOME / "node_modules")}
