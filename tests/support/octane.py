"""Laravel Octane from the view of the binary: its command line, its version check, how it stops and reloads, and how it
handles every line that it reads.

Written from the behaviour of the published package (2.3.6): where Octane reads a missing key, PHP raises, and so does
this module.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.server import RR, environment

NEEDED_VERSION = (2023, 3, 0)

# Lines that are not JSON and not shown.
_IGNORED = (
    "[INFO] RoadRunner server started; version:",
    "[INFO] sdnotify: not notified",
    "stop signal received, grace timeout is: ",
    "exit forced",
    "exiting; byeee!!",
)
# Messages of the channel "server" that are not shown.
_IGNORED_OF_SERVER = (
    "destroy signal received",
    "req-resp mode",
    "scan command",
    "sending stop request to the worker",
    "worker allocated",
    "worker is allocated",
    "worker constructed",
    "worker destructed",
    "worker destroyed",
    "write error",
    "storage cleaning happened too recently",
    "$HOME environment variable is empty",
    "unable to determine directory for user configuration; falling back to current directory",
    "unable to get instance ID",
)


class UndefinedKey(Exception):
    """Laravel converts it to an ErrorException, which ends Octane."""


@dataclass(frozen=True)
class Shown:
    """One output of Octane: ``info``, ``raw``, ``error``, ``request``, ``throwable``, ``shutdown``."""

    kind: str
    data: Any


@dataclass(frozen=True)
class Octane:
    """``php artisan octane:start --server=roadrunner`` in an application's folder."""

    app: Path
    worker: list[str]
    port: int
    rpc_port: int
    workers: int = 0
    app_env: str = "local"

    @property
    def command(self) -> list[str]:
        """Its command line, in its order, with flags before the subcommand."""
        level = "debug" if self.app_env == "local" else "warn"
        options = {
            "version": "3",
            "http.address": f"127.0.0.1:{self.port}",
            "server.command": ",".join(self.worker),
            "http.pool.num_workers": str(self.workers),
            "http.pool.max_jobs": "500",
            "rpc.listen": f"tcp://127.0.0.1:{self.rpc_port}",
            "http.pool.supervisor.exec_ttl": "30s",
            "http.static.dir": str(self.app / "public"),
            "http.middleware": "static",
            "logs.mode": "production",
            "logs.level": level,
            "logs.output": "stdout",
            "logs.encoding": "json",
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return ["-c", str(self.app / ".rr.yaml"), *flags, "serve"]

    @property
    def env(self) -> dict[str, str]:
        return {"APP_ENV": self.app_env, "APP_BASE_PATH": str(self.app), "LARAVEL_OCTANE": "1"}

    def accepts_version(self) -> bool:
        """The version check: Octane renames a binary that fails it to ``rr.backup`` and replaces it with a download."""
        found = str(self.app / "rr")  # Octane looks there first
        said = subprocess.run([found, "--version"], cwd=self.app, env=environment(), capture_output=True, check=False)
        line = said.stdout.decode()
        if not line.startswith("rr version "):
            return False
        number = re.match(r"(\d+)\.(\d+)\.(\d+)", line.split(" ")[2])
        return number is not None and tuple(map(int, number.groups())) >= NEEDED_VERSION

    def reload(self, *, version: bool = False) -> None:
        """``octane:reload``; any byte on stderr is an exception.

        Args:
            version: with ``-o version=3``, as in newer versions of Octane.

        Raises:
            AssertionError: with the text on stderr.
        """
        flags = ["-o", "version=3"] if version else []
        command = [str(RR), "reset", *flags, "-o", f"rpc.listen=tcp://127.0.0.1:{self.rpc_port}", "-s"]
        done = subprocess.run(
            command,
            cwd=self.app,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == b"", done.stderr.decode()

    def write_state(self, pid: int) -> None:
        """``storage/logs/octane-server-state.json``: Octane will signal the process stored there."""
        folder = self.app / "storage" / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        state = {"host": "127.0.0.1", "port": self.port, "rpcPort": self.rpc_port, "workers": self.workers or "auto"}
        text = json.dumps({"masterProcessId": pid, "state": state})
        (folder / "octane-server-state.json").write_text(text, encoding="utf-8")

    def pid(self) -> int:
        """The pid in the state file."""
        file = self.app / "storage" / "logs" / "octane-server-state.json"
        pid: int = json.loads(file.read_text(encoding="utf-8"))["masterProcessId"]
        return pid

    def is_running(self) -> bool:
        """Check the process with signal 0, like Octane."""
        try:
            os.kill(self.pid(), 0)
        except ProcessLookupError:
            return False
        return True


def stdout(text: str) -> Iterator[Shown]:
    """Octane's output for the server's stdout.

    Raises:
        UndefinedKey: Octane would crash.
    """
    for line in text.split("\n"):
        if line:
            yield from _line(line)


def stderr(text: str) -> Iterator[Shown]:
    """Octane's output for the server's stderr."""
    for line in text.split("\n"):
        if line and not any(word in line for word in ("DEBUG", "INFO", "WARN")):
            yield Shown("error", line)


def _line(line: str) -> Iterator[Shown]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        if not line.startswith((*_IGNORED, *_IGNORED_OF_SERVER)):
            yield Shown("info", line)
        return
    message = _key(entry, "msg")
    try:
        told = json.loads(message)
    except ValueError:
        told = None
    if isinstance(told, dict | list):
        yield _of_worker(told)
    elif _key(entry, "logger") == "server":
        if not message.startswith(_IGNORED_OF_SERVER):
            yield Shown("raw", message)
    elif _key(entry, "level") == "info" and message == "http log" and entry.get("remote_address"):
        yield Shown("request", {name: _key(entry, name) for name in ("elapsed", "method", "status", "URI")})


def _of_worker(told: Any) -> Shown:
    kind = told.get("type") if isinstance(told, dict) else None
    if kind == "throwable":
        return Shown(
            "throwable", {name: _key(told, name) for name in ("class", "code", "file", "line", "message", "trace")}
        )
    return Shown(kind if kind in ("request", "shutdown", "raw") else "info", told)


def _key(entry: Mapping[str, Any], name: str) -> Any:
    if name not in entry:
        raise UndefinedKey(f"{name} in {entry}")
    return entry[name]
