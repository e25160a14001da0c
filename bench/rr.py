"""The main subject: ``rr serve`` with PHP workers over pipes."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import classes
from bench.client import NotUp, free_port, wait_until_up
from bench.subject import PHP, PHP_FILES, WORKERS, Subject, process

RR = (str(Path(sys.executable).parent / "rr"),)


@dataclass(frozen=True, kw_only=True)
class RoadRunner(Subject):
    """A running ``rr serve``.

    Attributes:
        command: the ``rr`` command to control it.
        config: path of its config.
        log: path of its output.
    """

    command: tuple[str, ...]
    config: Path
    log: Path

    def steer(self, *words: str) -> list[str]:
        """The command line of ``rr WORDS`` for this server."""
        return [*self.command, *words, "-c", str(self.config)]


def settings(port: int, rpc_port: int, worker: str, http: Mapping[str, Any]) -> dict[str, Any]:
    """A config with two workers and minimal logs; ``http`` is added to its section."""
    return {
        "version": "3",
        "rpc": {"listen": f"tcp://127.0.0.1:{rpc_port}"},
        "server": {"command": shlex.join([*PHP, str(PHP_FILES / worker)]), "relay": "pipes"},
        "logs": {"mode": "production", "level": "error"},
        "http": {"address": f"127.0.0.1:{port}", "pool": {"num_workers": WORKERS}, **http},
    }


def executable(name: str) -> str:
    """The absolute path of a command, which may be relative to this folder: the server runs in its own.

    Raises:
        NotUp: the command was not found.
    """
    if found := shutil.which(name):
        return str(Path(found).absolute())
    raise NotUp(f"there is no command {name}")


@contextlib.contextmanager
def serving(
    command: tuple[str, ...] = RR,
    worker: str = "worker.php",
    http: Mapping[str, Any] | None = None,
    sections: Mapping[str, Any] | None = None,
) -> Iterator[RoadRunner]:
    """Start the server, wait for its first response, stop it at the end.

    Args:
        http: added to the section ``http``.
        sections: added to the config.

    Raises:
        NotUp: with its output, or because there is no such command.
    """
    command = (executable(command[0]), *command[1:])
    with tempfile.TemporaryDirectory(prefix="bench-rr-") as name:
        folder = Path(name)
        port = free_port()
        options = {**settings(port, free_port(), worker, http or {}), **(sections or {})}
        options["server"]["env"] = classes.write(folder / "classes")
        config = write(folder, options)
        log = folder / "log"
        with process([*command, "serve", "-c", str(config)], log, folder) as child:
            try:
                wait_until_up(port)
            except NotUp as error:
                raise NotUp(f"{error}\n{log.read_text(errors='replace')[-4000:]}") from error
            yield RoadRunner(
                name="rr",
                title="pyroadrunner",
                port=port,
                roots=(child.pid,),
                command=command,
                config=config,
                log=log,
            )


def write(folder: Path, config: Mapping[str, Any]) -> Path:
    """Write the config to a folder. (JSON is valid YAML.)"""
    file = folder / ".rr.yaml"
    file.write_text(json.dumps(config))
    return file
