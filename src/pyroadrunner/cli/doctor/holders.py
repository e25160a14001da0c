"""Find the process that holds an address, and whether it is the running server of this config."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.flags import UsageError, parse

_EVERYWHERE = ("0.0.0.0", "::")
_DEFAULT_CONFIG = ".rr.yaml"
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds an address.

    Attributes:
        pid: its process id.
        name: its name in the process table.
        folder: its working folder.
        arguments: its command line, split.
        python: whether a Python interpreter runs it; false for RoadRunner in Go.
    """

    pid: int
    name: str = "unknown"
    folder: str = ""
    arguments: tuple[str, ...] = ()
    python: bool = False

    def __str__(self) -> str:
        words = " ".join(self.arguments[_program(self.arguments) :])
        where = f" in {self.folder}" if self.folder else ""
        return f"process {self.pid} ({words}{where})" if self._serves() else f"process {self.pid} ({self.name})"

    def is_server_of(self, config: str) -> bool:
        """Whether it is this program and serves the config at this absolute path. Pure, except that links are
        resolved."""
        if not self.python or not self._serves():
            return False
        line = parse(self.arguments[_program(self.arguments) + 1 :], COMMANDS, SHARED)
        named = line.text("config", _DEFAULT_CONFIG)
        # A server works in the folder of its config, or in the folder of -w, to which `-c` is relative.
        candidates = (os.path.join(self.folder, named), os.path.join(self.folder, os.path.basename(named)))
        return os.path.realpath(config) in map(os.path.realpath, candidates)

    def is_systemd(self) -> bool:
        """Whether it is the service manager, which opens sockets for services."""
        return self.pid == 1 and self.name == "systemd"

    def _serves(self) -> bool:
        at = _program(self.arguments)
        if at < 0:
            return False
        try:
            line = parse(self.arguments[at + 1 :], COMMANDS, SHARED)
        except UsageError:
            return "serve" in self.arguments
        return line.words == ("serve",)


def _program(arguments: Sequence[str]) -> int:
    """Position of ``rr`` in a command line, or -1."""
    return next((at for at, word in enumerate(arguments[:5]) if os.path.basename(word) == "rr"), -1)


def of_port(port: int, hosts: Sequence[str]) -> list[Holder]:
    """The processes that listen on a TCP port of these hosts, as far as this user may see them."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:  # on some systems only root may ask
        return []
    pids = {
        connection.pid: None
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.pid and _meets(tuple(connection.laddr), port, hosts)
    }
    return list(_holders(pids))


def _meets(local: Sequence[object], port: int, hosts: Sequence[str]) -> bool:
    host, number = local[:2]
    return number == port and (host in hosts or host in _EVERYWHERE or any(one in _EVERYWHERE for one in hosts))


def of_socket(connected: socket.socket) -> list[Holder]:
    """The process that listens on the other end of a unix socket; empty if the system can't tell."""
    if sys.platform != "linux":
        return []
    found = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid = _CREDENTIALS.unpack(found)[0]
    return list(_holders([pid] if pid > 0 else []))  # 0: a process of another namespace


def _holders(pids: Sequence[int] | dict[int, None]) -> Iterator[Holder]:
    for pid in pids:
        try:
            process = psutil.Process(pid)
            name = process.name()
        except psutil.NoSuchProcess:
            continue
        try:
            python = os.path.basename(process.exe()).startswith(("python", "pypy"))
            yield Holder(pid, name, process.cwd(), tuple(process.cmdline()), python)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:  # a process of another user
            yield Holder(pid, name)
