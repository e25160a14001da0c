"""moto's server as SQS: it keeps everything in memory, so it is never stopped; tests cut the network instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.ports import free_port
from support.programs import running_program, wait_for_port


@contextmanager
def shared_sqs(folder: Path) -> Iterator[dict[str, Any]]:
    """A running server."""
    port = free_port()
    server = Path(__file__).parent / "sqs_server.py"
    # -P: modules of this folder have names of others.
    command = [sys.executable, "-P", str(server), "-H", "127.0.0.1", "-p", str(port)]
    with running_program(command, folder / "sqs.log") as program:
        wait_for_port(port, program)
        yield {"port": port}
