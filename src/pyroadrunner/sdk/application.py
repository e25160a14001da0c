"""What WSGI and ASGI have in common: finding the application, and its need for raw bodies."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from pyroadrunner.sdk.request import Request


def loaded(application: Any) -> Any:
    """An application; ``package.module:name`` is imported, the working folder first.

    Raises:
        ImportError, AttributeError: there is no such module or name.
    """
    if not isinstance(application, str):
        return application
    module, _, name = application.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = import_module(module)
    for part in (name or "app").split("."):
        found = getattr(found, part)
    return found


def refuse_parsed(request: Request) -> None:
    """Applications parse forms themselves.

    Raises:
        RuntimeError: the server has parsed this one.
    """
    if request.parsed is not None:
        raise RuntimeError("the server has parsed the form: set http.raw_body: true in .rr.yaml")
