"""The model of every section that is installed: enough to check a config without importing a plugin."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import msgspec

GROUP = "pyroadrunner.sections"


def section_models(entries: Iterable[EntryPoint] | None = None) -> dict[str, type[msgspec.Struct]]:
    """Section name to its model.

    Args:
        entries: where to look; ``None`` = the entry points of the group ``pyroadrunner.sections``.

    Raises:
        TypeError: an entry point names something that is no ``msgspec.Struct`` class.
    """
    models: dict[str, type[msgspec.Struct]] = {}
    for entry in entry_points(group=GROUP) if entries is None else entries:
        model = entry.load()
        if not (isinstance(model, type) and issubclass(model, msgspec.Struct)):
            raise TypeError(f"entry point {entry.name} of {GROUP} is no msgspec.Struct: {entry.value}")
        models[entry.name] = model
    return models
