"""Imports a class by its path in the config."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pyroadrunner.errors import RoadRunnerError


class ImportPathError(RoadRunnerError):
    """The class does not exist or can't be imported: the path, the cause, the fix."""


def import_path(path: str) -> Callable[..., Any]:
    """Import ``package.module:Class``; a dot instead of the colon works too.

    Raises:
        ImportPathError
    """
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # the folder of the config; last, so that it shadows none of our modules
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as wrong:  # third-party module: it may raise anything
        what = wrong if isinstance(wrong, ImportError | AttributeError) else f"{type(wrong).__name__}: {wrong}"
        raise ImportPathError(
            f"{path} can't be imported: {what}; write package.module:Class, and install the package where rr is "
            "installed"
        ) from wrong
    if not callable(found):
        raise ImportPathError(f"{path} is not an ASGI middleware class")
    return found  # type: ignore[no-any-return]  # its type is checked only by calling it
