"""A running server under test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WORKERS = 2
PHP_FILES = Path(__file__).parent / "php"
PHP = ("php", "-d", "opcache.enable_cli=1")  # a worker command, with settings that php-fpm has by default


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A server on a loopback port.

    Attributes:
        name: key in the results.
        title: title in tables.
        roots: pids of its top processes.
    """

    name: str
    title: str
    port: int
    roots: tuple[int, ...]


@contextlib.contextmanager
def process(
    command: Sequence[str], log: Path, folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with a log file in its own session; it gets SIGTERM at the end, and SIGKILL after ten seconds."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
