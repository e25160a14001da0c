"""Temporary files of this process, for an exit without a clean-up: who makes one deletes it, in nearly every case.

One list for the process, as it ends as a whole. Adding and discarding are safe from any thread.
"""

from __future__ import annotations

import os
import shutil

_paths: set[str] = set()


def add(path: str) -> None:
    """A file or folder that is there until :func:`discard`."""
    _paths.add(path)


def discard(path: str) -> None:
    """It has been deleted, or is not ours any more. Idempotent."""
    _paths.discard(path)


def delete_all() -> None:
    """Delete what is left. Waits for nothing, never raises: the process ends right afterwards."""
    for path in list(_paths):
        try:
            os.unlink(path)
        except (IsADirectoryError, PermissionError):  # macOS answers the second for a folder
            shutil.rmtree(path, ignore_errors=True)
        except OSError:  # moved by a worker, or the folder has gone
            pass
        _paths.discard(path)
