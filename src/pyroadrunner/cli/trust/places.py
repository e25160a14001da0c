"""Where the files of the local authority are. Imports no cryptography."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path


def authority_folder(env: Mapping[str, str], *, root: bool) -> Path:
    """``~/.config/pyroadrunner/https``; under ``sudo`` that of the user who called it.

    Args:
        root: whether the process runs as root.
    """
    user = env.get("SUDO_USER", "") if root else ""
    if user and user != "root":
        try:
            return Path(pwd.getpwnam(user).pw_dir, ".config", "pyroadrunner", "https")
        except KeyError:
            pass
    base = env.get("XDG_CONFIG_HOME", "")
    config = Path(base) if os.path.isabs(base) else Path(env.get("HOME") or os.path.expanduser("~"), ".config")
    return config / "pyroadrunner" / "https"
