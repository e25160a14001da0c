"""Finds PHP for tests that run it."""

from __future__ import annotations

import os
import shutil

import pytest


def require_php() -> str:
    """Path of the ``php`` command. Without one the test is skipped on a laptop and fails in CI (``CI`` is set)."""
    php = shutil.which("php")
    if php is None:
        if os.environ.get("CI"):
            pytest.fail("php is not installed, and in CI it has to be", pytrace=False)
        pytest.skip("php is not installed")
    return php
