"""``.pid``: how ``rr stop`` finds the server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError

NAME = ".pid"
_MODE = 0o644  # before the umask: who can write the file chooses the process that `rr stop` signals
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NoPidFile(RoadRunnerError):
    """There is no readable ``.pid`` here."""


class PidFile:
    """The file of this process in the current folder, as an absolute path: the folder may change later."""

    def __init__(self) -> None:
        self._path = Path(NAME).absolute()

    def write(self) -> None:
        """Write our pid: decimal, without a newline, as RoadRunner does.

        Raises:
            RoadRunnerError: it can't be written.
        """
        try:
            with open(self._path, "w", encoding="ascii", opener=_open) as file:
                file.write(str(os.getpid()))
        except OSError as wrong:
            raise RoadRunnerError(f"-p: open {self._path}: {(wrong.strerror or str(wrong)).lower()}") from wrong

    def remove(self) -> None:
        """Remove it if it still names us: a server started since then has written its own. Never raises."""
        try:
            if self._path.read_text(encoding="ascii", errors="replace").strip() == str(os.getpid()):
                self._path.unlink()
        except OSError:  # gone already, or not ours to remove
            pass


def _open(path: str, flags: int) -> int:
    file = os.open(path, flags, _MODE)
    found = os.fstat(file)
    if found.st_mode & _OTHERS_WRITE and found.st_uid == os.geteuid():  # a file of an older version
        os.fchmod(file, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE)
    return file


def read_pid() -> int:
    """The pid in the current folder's file; a newline at its end is no fault.

    Raises:
        NoPidFile: it is missing, can't be read, or holds no pid.
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
