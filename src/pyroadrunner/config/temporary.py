"""The default folder for temporary files."""

from __future__ import annotations

import os
import tempfile


def temporary_folder() -> str:
    """The system's folder for temporary files: ``$TMPDIR``, ``/tmp`` and so on.

    If none is writable (a container with a read-only root), it is ``$TMPDIR`` or ``/tmp``. The error then occurs only
    when a file is written, so a server that never writes one can start.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return os.environ.get("TMPDIR") or "/tmp"
