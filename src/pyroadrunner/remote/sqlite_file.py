"""Opening a file of SQLite, and what its errors mean for the operator."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

LOCK_TIMEOUT = 20.0  # seconds to wait while another process locks the file, as RoadRunner does for its BoltDB files

Synchronous = Literal["full", "normal"]


def open_file(file: str, permissions: int, synchronous: Synchronous) -> sqlite3.Connection:
    """Open a database with a write-ahead log, in autocommit mode; create it if it does not exist.

    Args:
        permissions: mode of a new file.
        synchronous: ``full``: commits survive a power loss. ``normal``: they survive a crash of the process.

    Raises:
        sqlite3.Error, OSError: see :func:`reason`.
    """
    # SQLite creates its other files with the mode of this one.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, permissions))
    db = sqlite3.connect(file, timeout=LOCK_TIMEOUT, isolation_level=None, cached_statements=256)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        db.close()
        raise
    return db


def reason(error: Exception, file: str) -> str:
    """Why a file could not be opened."""
    if isinstance(error, OSError):
        return f"{(error.strerror or str(error)).lower()}; set `file` to a path in an existing, writable folder"
    if "not a database" in str(error):
        kind = "a BoltDB file of RoadRunner" if _is_boltdb(file) else "not an SQLite database"
        return f"the file is {kind} and can't be read; set another `file`, or remove this one"
    return str(error)


def _is_boltdb(file: str) -> bool:
    """Both of its first pages have the magic number 0xED0CDAED after 16 bytes (go.etcd.io/bbolt, page.go, db.go)."""
    with Path(file).open("rb") as opened:
        return opened.read(20)[16:] == b"\xed\xda\x0c\xed"
