"""How this copy of pyroadrunner is installed: in a Python environment, or *bundled* with an interpreter of its own, as
one file or as a Debian package (``packaging/onefile``). Imports little: every command asks."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence

_VARIABLE = "RR_ONEFILE"  # the launcher sets it to its path
_LAUNCHED = 4  # words before the arguments: bin/rr -I -m pyroadrunner.cli

_file = ""


def enter(env: MutableMapping[str, str]) -> None:
    """Take the path of the one file out of the environment, so that no worker or service inherits it."""
    global _file
    _file = env.pop(_VARIABLE, _file)


def file() -> str:
    """The one file that was executed; empty = started in another way."""
    return _file


def bundle_folder() -> str:
    """The folder of what is bundled beside the interpreter: the PHP library, licences, the list of components.
    Empty = this is an environment of Python."""
    folder = os.path.join(sys.prefix, "share", "pyroadrunner")
    return folder if os.path.isdir(folder) else ""


def command(file: str, executable: str, launched: Sequence[str]) -> list[str]:
    """The command that starts this process again. Pure.

    Args:
        file: the one file; it may have been replaced by another version since, which is then started. Empty = none.
        executable: the interpreter.
        launched: ``sys.orig_argv``.
    """
    return [file, *launched[_LAUNCHED:]] if file else [executable, *launched[1:]]
