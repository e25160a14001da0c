"""A real beanstalkd, and a client that is not the driver's."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from support.ports import free_port
from support.programs import PATIENCE, Program, require, running_program, wait_for_port


class Beanstalkd:
    """A server that keeps its jobs in a file.

    Attributes:
        port: of TCP; ``path``: of the unix socket instead, if it is not empty.
    """

    def __init__(self, port: int, path: str, program: Program) -> None:
        self.port = port
        self.path = path
        self._program = program

    @property
    def address(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._program.kill()

    def start(self) -> None:
        self._program.start()
        self.wait()

    def drain(self) -> None:
        """Let it accept no more jobs."""
        os.kill(self._program.pid, signal.SIGUSR1)

    def wait(self) -> None:
        if not self.path:
            wait_for_port(self.port, self._program)
            return
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.path)
                    return
            except OSError:
                assert not self._program.ended, self._program.log.read_text()
                assert time.monotonic() < deadline, self._program.log.read_text()
                time.sleep(0.02)

    def client(self) -> BeanstalkClient:
        return BeanstalkClient(self.port)


class BeanstalkClient:
    """A client with one connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> BeanstalkClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, command: str, body: bytes | None = None) -> tuple[str, bytes]:
        """The line of the reply, and its body."""
        data = command.encode() + b"\r\n"
        self._socket.sendall(data if body is None else data + body + b"\r\n")
        line = self._file.readline().decode().rstrip()
        word, *arguments = line.split()
        if word not in ("RESERVED", "FOUND", "OK"):
            return line, b""
        found = self._file.read(int(arguments[-1]) + 2)[:-2]
        return line, found

    def put(self, tube: str, body: bytes, *, priority: int = 0, delay: int = 0, time_to_run: int = 60) -> int:
        """Push a job; its id."""
        self.ask(f"use {tube}")
        line, _ = self.ask(f"put {priority} {delay} {time_to_run} {len(body)}", body)
        return int(line.removeprefix("INSERTED "))

    def stats(self, what: str) -> dict[str, str]:
        """The figures of ``stats-tube NAME`` or ``stats-job ID``."""
        _, body = self.ask(what)
        return dict(line.split(": ", 1) for line in body.decode().splitlines() if ": " in line)


@contextmanager
def beanstalkd(folder: Path, *options: str, unix: bool = False) -> Iterator[Beanstalkd]:
    """A running server."""
    port, path = (0, str(folder / "beanstalkd.sock")) if unix else (free_port(), "")
    data = folder / "beanstalkd"
    data.mkdir()
    listen = ["-l", f"unix:{path}"] if unix else ["-l", "127.0.0.1", "-p", str(port)]
    command = [require("beanstalkd"), *listen, "-b", str(data), "-F", *options]
    with running_program(command, folder / "beanstalkd.log") as program:
        server = Beanstalkd(port, path, program)
        server.wait()
        yield server
