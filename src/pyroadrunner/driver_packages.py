"""Drivers that packages bring as entry points: those of queues, those of registries."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint
from typing import TypeVar

D = TypeVar("D")


def load_drivers(entries: Iterable[EntryPoint], info: type[D], what: str) -> dict[str, D]:
    """What each entry point names, by its name.

    Args:
        info: the type that an entry point must name.
        what: the kind of driver, for messages, such as ``jobs driver``.

    Raises:
        ImportError: a package names a driver that can't be loaded.
    """
    found: dict[str, D] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist else "its package"
        try:
            driver = entry.load()
        except (ImportError, AttributeError) as wrong:
            raise ImportError(f"the {what} {entry.name} of {package} can't be loaded: {wrong}") from wrong
        if not isinstance(driver, info):
            raise ImportError(f"the {what} {entry.name} of {package} is no {info.__name__}: {entry.value}")
        found[entry.name] = driver
    return found
