"""What a broker behind measured jobs is, and how one is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.client import NotUp
from bench.client_loops import Loop
from bench.subject import process

_PATIENCE = 90.0  # seconds; Erlang starts slowly on a busy machine


class NotMeasured(Exception):
    """Why a driver has no figures."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A running broker.

    Attributes:
        sections: global sections of the config.
        options: ``config`` of a pipeline with this name.
        loop: measures the client of this broker alone; ``None`` = there is no client.
        topics: whether each job names its topic, which RoadRunner's driver of Kafka needs.
    """

    sections: Mapping[str, Any] = field(default_factory=dict)
    options: Callable[[str], dict[str, Any]] = field(default=lambda _name: {})
    loop: Callable[[float], Loop] | None = None
    topics: bool = False


def installed(program: str) -> str:
    """The path of a program.

    Raises:
        NotMeasured: it is not installed.
    """
    if found := shutil.which(program):
        return found
    raise NotMeasured(f"{Path(program).name} is not installed")


@contextlib.contextmanager
def listening(command: Sequence[str], folder: Path, port: int, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a broker.

    Raises:
        NotUp: it does not accept connections; with its output.
    """
    log = folder / "broker.log"
    with process(command, log, folder, env) as child:
        try:
            wait_for_port(port, child, log)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)  # a script's children, too


def wait_for_port(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a process accepts connections.

    Raises:
        NotUp: with its output.
    """
    end = time.monotonic() + _PATIENCE
    while child.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise NotUp(f"nothing listens on port {port}\n{log.read_text(errors='replace')[-4000:]}")
