"""A class by its path in the config."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pyroadrunner.errors import RoadRunnerError


class ImportPathError(RoadRunnerError):
    """There is no such class: the path, why, what to do."""


def import_path(path: str) -> Callable[..., Any]:
    """What stands at ``package.module:Class``; a dot in place of the colon will do.

    Raises:
        ImportPathError
    """
    module, colon, attribute = path.partition(":")
    if not colon:
        module, _, attribute = path.rpartition(".")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # the folder of the config; last, so that nothing of ours is shadowed
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as wrong:  # somebody else's module: it may raise anything
        what = wrong if isinstance(wrong, ImportError | AttributeError) else f"{type(wrong).__name__}: {wrong}"
        raise ImportPathError(
            f"{path} can't be imported: {what}; write package.module:Class, and install the package where rr is "
            "installed"
        ) from wrong
    if not callable(found):
        raise ImportPathError(f"{path} is no class of ASGI middleware")
    return found  # type: ignore[no-any-return]  # what it makes is seen when it is called
