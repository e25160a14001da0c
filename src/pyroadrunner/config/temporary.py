"""The system's folder for temporary files, where the config names none."""

from __future__ import annotations

import os
import tempfile


def temporary_folder() -> str:
    """Where temporary files go: ``$TMPDIR``, ``/tmp`` and so on.

    Where none of them can be written to (a container with a read-only root), it is the one that should be: who writes
    there says what is wrong, and who never does is not kept from starting.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return os.environ.get("TMPDIR") or "/tmp"
