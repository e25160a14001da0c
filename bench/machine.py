"""Describe the machine of the run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.nginx import find


def cpu_model() -> str:
    """The name of the processor, from Linux."""
    named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def version(*command: str) -> str:
    """The first version number in the output of a command."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", ended.stdout + ended.stderr)
    return found[0] if found else "?"


def packages(*names: str) -> str:
    """Names and versions of installed Python packages."""
    from importlib.metadata import version as installed

    return ", ".join(f"{name} {installed(name)}" for name in names)


def describe() -> list[tuple[str, str]]:
    """Names and values for the report."""
    return [
        ("machine", f"{os.cpu_count()} cores, {cpu_model()}"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", f"{platform.python_version()}, {packages('uvloop', 'h2corn', 'msgspec')}"),
        ("PHP", version("php", "--version")),
        ("nginx, php-fpm", f"{version(find('nginx'), '-v')}, {version(find('php-fpm'), '-v')}"),
        ("wrk", version("wrk", "-v")),
    ]
