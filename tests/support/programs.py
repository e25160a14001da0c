"""Finds, starts and stops the programs that tests need besides the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 60.0  # seconds for a program to start

_FOLDERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def require(program: str) -> str:
    """Path of a program, also of a server that only root has on ``PATH``. Without it the test is skipped on a laptop
    and fails in CI (``CI`` is set)."""
    path = shutil.which(program, path=_FOLDERS)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed, and in CI it has to be", pytrace=False)
        pytest.skip(f"{program} is not installed")
    return path


class Program:
    """A running program; its output is in ``log``."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.log = log
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill it (``SIGKILL``). Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


@contextmanager
def running_program(arguments: Sequence[str], log: Path) -> Iterator[Program]:
    """A program, until the end of the ``with``."""
    program = Program(arguments, log)
    program.start()
    try:
        yield program
    finally:
        program.kill()


def wait_for_port(port: int, program: Program, patience: float = PATIENCE) -> None:
    """Return once a process listens on the port."""
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            assert not program.ended, program.log.read_text()
            assert time.monotonic() < deadline, program.log.read_text()
            time.sleep(0.02)
