"""Outputs of log lines: stdout, stderr, files. They never block on a reader that does not read.

A pipe without an active reader is full after 64 KB; a blocking write to it would stop the whole server. Other processes
share its open file description, so it must not be made non-blocking either. Instead the pipe is opened a second time
through ``/proc``, which gives a separate description, and sockets are written with ``MSG_DONTWAIT``.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pyroadrunner.errors import RoadRunnerError

STANDARD = {"stdout": 1, "stderr": 2}
_MODE = 0o644  # mode of a new log file, before the umask


class OutputError(RoadRunnerError):
    """A log output can't be opened."""


class Output(Protocol):
    """A destination for bytes. Writes to one output are never concurrent."""

    name: str

    def write(self, data: bytes) -> int:
        """Write without blocking; return the number of bytes written, which may be less than given or 0.

        Raises:
            OSError: the output can't be written: closed, or no space left.
        """

    def fileno(self) -> int:
        """The descriptor to wait for when the output is full."""

    def close(self) -> None: ...


def open_output(target: str) -> Output:
    """Open the output for a config value: ``stdout``, ``stderr``, a path or a ``file://`` URL.

    Raises:
        OutputError: the file can't be opened.
    """
    if target in STANDARD:
        return StreamOutput(target, STANDARD[target])
    url = urlsplit(target)
    if url.scheme not in ("", "file"):
        raise OutputError(f"logs.output: can't write to {target}; use stdout, stderr or the path of a file")
    return FileOutput(Path(unquote(url.path) if url.scheme else target))


def open_file(path: Path) -> int:
    """Open a file for appending; a missing folder is created.

    Raises:
        OutputError: the file can't be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
    except OSError as wrong:
        reason = (wrong.strerror or str(wrong)).lower()
        raise OutputError(f"logs: open {path}: {reason}; check the path and its permissions") from wrong


class FileOutput:
    """A file opened for appending. Files never block, so a short write means a full disk: the next write raises."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._fd = open_file(path)

    def __repr__(self) -> str:
        return f"FileOutput({self.name!r}, fd={self._fd})"

    def write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


class StreamOutput:
    """stdout or stderr: a file, pipe, socket or terminal."""

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self._fd = fd
        self._own: int | None = None
        self._socket: socket.socket | None = None
        try:
            kind = os.fstat(fd).st_mode
        except OSError:  # closed at start: writing fails, and the sink handles that
            return
        if stat.S_ISSOCK(kind):
            self._socket = socket.socket(fileno=os.dup(fd))
        elif stat.S_ISFIFO(kind) or stat.S_ISCHR(kind):
            self._own = _reopened(fd)

    def __repr__(self) -> str:
        return f"StreamOutput({self.name!r}, fd={self.fileno()})"

    def write(self, data: bytes) -> int:
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            return os.write(self._fd if self._own is None else self._own, data)
        except BlockingIOError:
            return 0

    def fileno(self) -> int:
        if self._socket is not None:
            return self._socket.fileno()
        return self._fd if self._own is None else self._own

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._own is not None:
            os.close(self._own)
            self._own = None


def _reopened(fd: int) -> int | None:
    """Reopen a pipe or terminal as non-blocking; ``None`` if not possible (no /proc, another user's pipe)."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def wait_writable(output: Output, deadline: float) -> bool:
    """Block until an output is writable; return whether it is before ``deadline`` (of ``time.monotonic``)."""
    left = max(0.0, deadline - time.monotonic())
    poller = select.poll()
    poller.register(output.fileno(), select.POLLOUT)
    return any(event & select.POLLOUT for _, event in poller.poll(left * 1000))
