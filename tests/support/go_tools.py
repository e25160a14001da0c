"""Tools built by ``scripts/go-tools.sh``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BIN = Path(__file__).parent.parent.parent / ".cache" / "bin"


def require_go_tool(name: str, *, optional: bool = False) -> str:
    """Path of a tool. Without it the test is skipped on a laptop and, unless it is ``optional``, fails in CI (``CI`` is
    set)."""
    path = _BIN / name
    if not path.exists():
        why = f"{name} is not built: run scripts/go-tools.sh, which needs Go"
        if os.environ.get("CI") and not optional:
            pytest.fail(why)
        pytest.skip(why)
    return str(path)


def optional_go_tool(name: str, variable: str) -> str:
    """Path of a tool that is built on request only; without it the test is skipped."""
    path = _BIN / name
    if not path.exists():
        pytest.skip(f"{name} is not built: make test {variable}=1 builds it (needs Go)")
    return str(path)
