"""Finds PHP for tests that run it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def require_php() -> str:
    """Path of the ``php`` command. Without one the test is skipped on a laptop and fails in CI (``CI`` is set)."""
    php = shutil.which("php")
    if php is None:
        if os.environ.get("CI"):
            pytest.fail("php is not installed, and in CI it has to be", pytrace=False)
        pytest.skip("php is not installed")
    return php


def require_php_package(file: str, package: str) -> None:
    """Skip the test if a PHP library is not installed.

    Args:
        file: on PHP's include path, such as ``Nyholm/Psr7/autoload.php``.
        package: its Debian package, for the message; ``scripts/test.sh`` installs it on systems with apt.
    """
    look = "exit((int) (stream_resolve_include_path($argv[1]) === false));"
    if subprocess.run([require_php(), "-r", look, file], check=False).returncode:
        pytest.skip(f"{package} is not installed")
