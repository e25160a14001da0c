"""Mounts in a namespace of a test's own."""

from __future__ import annotations

import os
import subprocess

import pytest


def require_mounts() -> None:
    """Skip the test, with the reason, where this user can't mount anything in a namespace of its own."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        done = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode:
        pytest.skip(f"mounts in a namespace are not permitted here: {done.stderr.strip()}")
