"""Temporary files of this process, to delete at an exit without clean-up. Normally their creator deletes them.

One list for the whole process. Adding and discarding are safe from any thread.
"""

from __future__ import annotations

import os
import shutil

_paths: set[str] = set()


def add(path: str) -> None:
    """Add a file or folder; it stays listed until :func:`discard`."""
    _paths.add(path)


def discard(path: str) -> None:
    """Forget a path that was deleted or now belongs to another process. Idempotent."""
    _paths.discard(path)


def delete_all() -> None:
    """Delete all listed paths. Does not wait and never raises: the process exits right afterwards."""
    for path in list(_paths):
        try:
            os.unlink(path)
        except (IsADirectoryError, PermissionError):  # macOS raises the second for a folder
            shutil.rmtree(path, ignore_errors=True)
        except OSError:  # moved by a worker, or its folder was removed
            pass
        _paths.discard(path)
