"""The ``.pid`` file, with which ``rr stop`` finds the server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError

NAME = ".pid"
_MODE = 0o644  # before the umask: a user who can write the file chooses the process that `rr stop` signals
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NoPidFile(RoadRunnerError):
    """The current folder has no valid ``.pid`` file."""


class PidFile:
    """The pid file of this process. Its path is absolute, since the current folder may change."""

    def __init__(self) -> None:
        self._path = Path(NAME).absolute()

    def write(self) -> None:
        """Write our pid: decimal, without a newline, as RoadRunner does.

        Raises:
            RoadRunnerError: the file can't be written.
        """
        try:
            with open(self._path, "w", encoding="ascii", opener=_open) as file:
                file.write(str(os.getpid()))
        except OSError as wrong:
            raise RoadRunnerError(f"-p: open {self._path}: {(wrong.strerror or str(wrong)).lower()}") from wrong

    def remove(self) -> None:
        """Remove the file if it still holds our pid: a server started later has written its own. Never raises."""
        try:
            if self._path.read_text(encoding="ascii", errors="replace").strip() == str(os.getpid()):
                self._path.unlink()
        except OSError:  # removed already, or not permitted
            pass


def _open(path: str, flags: int) -> int:
    file = os.open(path, flags, _MODE)
    found = os.fstat(file)
    if found.st_mode & _OTHERS_WRITE and found.st_uid == os.geteuid():  # written by an older version
        os.fchmod(file, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE)
    return file


def read_pid() -> int:
    """Read the pid from the file in the current folder; a trailing newline is accepted.

    Raises:
        NoPidFile: the file is missing, can't be read, or holds no valid pid.
    """
    try:
        text = Path(NAME).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise NoPidFile(
            f"open {NAME}: no such file or directory, to create a {NAME} file, you must run RR with the following"
            " options: './rr serve -p'"
        ) from None
    except OSError as wrong:
        raise NoPidFile(f"open {NAME}: {(wrong.strerror or str(wrong)).lower()}") from wrong
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:11]) < 2**31 and len(text) < 11):
        raise NoPidFile(f"{NAME} in {os.getcwd()} holds no process id: {text[:40]!r}; remove it and start with -p")
    return int(text)
