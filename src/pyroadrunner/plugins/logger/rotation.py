"""A log file that is rotated by size; old files are removed (``logs.file_logger_options``).

Rotation is a rename during a write. A separate thread, one at a time, compresses and removes files.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyroadrunner.plugins.logger.config import FileLoggerConfig
from pyroadrunner.plugins.logger.outputs import OutputError, open_file

_MB = 2**20
_DAY_SECONDS = 86_400
_STAMP = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Which rotated files to keep: ``count`` files, none older than ``age_seconds``."""

    count: int
    age_seconds: float


def backup_name(path: Path, ns: int) -> Path:
    """``base-2006-01-02T15-04-05.000.ext`` next to the file; UTC."""
    moment = datetime.fromtimestamp(ns // 10**9, UTC)
    return path.with_name(f"{path.stem}-{moment.strftime(_STAMP)}.{ns // 10**6 % 1000:03d}{path.suffix}")


def moment_of(path: Path, backup: str) -> float | None:
    """When the file ``backup`` was rotated (unix seconds); ``None`` if it is not a rotated file of ``path``."""
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    found = re.fullmatch(rf"{stem}-(\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d)\.(\d{{3}}){suffix}(\.gz)?", backup)
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:  # an impossible date: not our file
        return None
    return moment.timestamp() + int(found[2]) / 1000


def to_remove(path: Path, names: Iterable[str], keep: Retention, now: float) -> list[str]:
    """The rotated files of ``path`` among ``names`` that are too many or too old, oldest first."""
    moments = sorted((moment, name) for name in names if (moment := moment_of(path, name)) is not None)
    too_many = max(0, len(moments) - keep.count)
    return [name for place, (moment, name) in enumerate(moments) if place < too_many or now - moment > keep.age_seconds]


class RotatingOutput:
    """A file that is rotated before a write that would exceed its maximum size.

    Raises:
        OutputError: the file can't be opened.
    """

    def __init__(self, config: FileLoggerConfig) -> None:
        self.name = config.log_output
        self._path = Path(config.log_output)
        self._largest = (config.max_size or 100) * _MB
        self._keep = Retention(count=config.max_backups or 10, age_seconds=(config.max_age or 24) * _DAY_SECONDS)
        self._compress = config.compress
        self._fd = open_file(self._path)
        self._size = os.fstat(self._fd).st_size
        self._tidying: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"RotatingOutput({self.name!r}, size={self._size} of {self._largest})"

    def write(self, data: bytes) -> int:
        if self._size and self._size + len(data) > self._largest:
            self._rotate()
        taken = os.write(self._fd, data)
        self._size += taken
        return taken

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Close the file and wait for the thread."""
        os.close(self._fd)
        if self._tidying is not None:
            self._tidying.join()

    def _rotate(self) -> None:
        ns = time.time_ns()
        while (aside := backup_name(self._path, ns)).exists():  # rotated in the same millisecond
            ns += 1_000_000
        try:
            os.replace(self._path, aside)
            fresh = open_file(self._path)
        except (OSError, OutputError):  # the lines still go to the open file, whatever its name
            return
        os.close(self._fd)
        self._fd = fresh
        self._size = 0
        if self._tidying is None or not self._tidying.is_alive():
            self._tidying = threading.Thread(target=self._tidy, name="logs-tidy", daemon=True)
            self._tidying.start()

    def _tidy(self) -> None:
        folder = self._path.parent
        try:
            for name in to_remove(self._path, os.listdir(folder), self._keep, time.time()):
                (folder / name).unlink(missing_ok=True)
            if self._compress:
                for name in os.listdir(folder):
                    if not name.endswith(".gz") and moment_of(self._path, name) is not None:
                        _compress(folder / name)
        except OSError:  # retried after the next rotation
            return


def _compress(path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        with path.open("rb") as plain, gzip.open(partial, "wb") as packed:
            shutil.copyfileobj(plain, packed)
        os.replace(partial, path.with_name(path.name + ".gz"))
        path.unlink(missing_ok=True)
    except OSError:  # no space, or the file was moved; the plain file stays
        partial.unlink(missing_ok=True)
