"""A real NATS with JetStream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.ports import free_port
from support.programs import Program, require, running_program, wait_for_port


class NatsServer:
    """One server on loopback, with its streams in a folder.

    Attributes:
        port: its port.
        program: the process.
    """

    def __init__(self, port: int, program: Program) -> None:
        self.port = port
        self.program = program

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Kill it; what it has confirmed is kept."""
        self.program.kill()

    def start(self) -> None:
        """Start it again with its data."""
        self.program.start()
        wait_for_port(self.port, self.program)


@contextmanager
def nats_server(folder: Path, **settings: object) -> Iterator[NatsServer]:
    """A running server.

    Args:
        settings: of its config file, such as ``authorization``.
    """
    port = free_port()
    config = folder / f"nats-{port}.conf"
    store = {"store_dir": str(folder / f"nats-{port}")}
    config.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "jetstream": store, **settings}), encoding="utf-8")
    command = [require("nats-server"), "--config", str(config)]
    with running_program(command, folder / f"nats-{port}.log") as program:
        wait_for_port(port, program)
        yield NatsServer(port, program)


@contextmanager
def shared_nats(folder: Path) -> Iterator[dict[str, Any]]:
    """For ``brokers.use``."""
    with nats_server(folder) as server:
        yield {"port": server.port}
