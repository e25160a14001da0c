"""A real memcached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port
from support.programs import Program, require, running_program, wait_for_port


@contextmanager
def memcached(folder: Path) -> Iterator[tuple[str, Program]]:
    """``host:port`` of a running server, and its program."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [require("memcached"), *user, "-l", "127.0.0.1", "-p", str(port), "-U", "0"]
    with running_program(command, folder / f"memcached-{port}.log") as program:
        wait_for_port(port, program)
        yield f"127.0.0.1:{port}", program
