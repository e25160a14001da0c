"""What the bench ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sysconfig
from pathlib import Path

from bench.nginx import find


def cpu_model() -> str:
    """The name of the processor, as Linux gives it."""
    named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def version(*command: str) -> str:
    """The first thing like a version that a command prints."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", ended.stdout + ended.stderr)
    return found[0] if found else "?"


def packages(*names: str) -> str:
    """Names and versions of installed Python packages."""
    from importlib.metadata import version as installed

    return ", ".join(f"{name} {installed(name)}" for name in names)


def python_build() -> str:
    """How the interpreter was compiled, as far as it says: PGO and LTO make the same code up to a third faster.

    Debian ships the configuration of its shared build beside a static interpreter, so that says nothing of it.
    """
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    if shared and "libpython" not in Path("/proc/self/maps").read_text():
        return f"build of the distribution, {platform.python_compiler()}"
    pgo = "with PGO" if "--enable-optimizations" in arguments else "without PGO"
    lto = "with LTO" if "--with-lto" in arguments else "without LTO"
    return f"{pgo}, {lto}, {platform.python_compiler()}"


def describe() -> list[tuple[str, str]]:
    """Names and values, for the report."""
    return [
        ("machine", f"{os.cpu_count()} cores, {cpu_model()}"),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", f"{platform.python_version()}, {python_build()}"),
        ("packages", packages("uvloop", "h2corn", "msgspec")),
        ("PHP", version("php", "--version")),
        ("nginx, php-fpm", f"{version(find('nginx'), '-v')}, {version(find('php-fpm'), '-v')}"),
        ("wrk", version("wrk", "-v")),
    ]
