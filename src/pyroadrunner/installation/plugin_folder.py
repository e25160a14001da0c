"""The folder of plugins of a bundled interpreter, which ``rr plugin`` fills. It lies outside of the bundle, so that a
new version keeps them. An environment of Python needs none: plugins are installed into it."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = "RR_PLUGINS"
_OF_ALL_USERS = Path("/var/lib/pyroadrunner/plugins")
_FOR_OTHERS = 0o022  # write permission of group and others


def installs_to(env: Mapping[str, str], user: int) -> Path:
    """The folder that ``rr plugin install`` writes to: of this user, for root of all users. Pure.

    Each version of the interpreter has its own folder in it, since compiled modules fit only one.
    """
    named = env.get(_VARIABLE, "")
    if named:
        return Path(named) / _tag()
    if user == 0:
        return _OF_ALL_USERS / _tag()
    data = env.get("XDG_DATA_HOME", "")
    home = Path(data) if data.startswith("/") else Path(env.get("HOME") or "/nonexistent") / ".local" / "share"
    return home / "pyroadrunner" / "plugins" / _tag()


def searched(env: Mapping[str, str], user: int) -> list[Path]:
    """The folders whose plugins a server of this user finds. Pure."""
    own = installs_to(env, user)
    return [own] if env.get(_VARIABLE) or user == 0 else [own, _OF_ALL_USERS / _tag()]


def packages_in(folder: Path) -> Path:
    return folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def activate() -> None:
    """Add the folders of plugins to ``sys.path``, behind our own packages. Skips one that another user may change."""
    for folder in searched(os.environ, os.geteuid()):
        packages = packages_in(folder)
        if packages.is_dir() and _trusted(packages):
            site.addsitedir(str(packages))


def _trusted(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & _FOR_OTHERS


def _tag() -> str:
    return f"cp{sys.version_info[0]}{sys.version_info[1]}"
