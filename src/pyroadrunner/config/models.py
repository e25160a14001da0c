"""The models of all installed sections, to check a config without importing plugins."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import msgspec

from pyroadrunner.config.errors import Fault, fail

GROUP = "pyroadrunner.sections"


def section_models(entries: Iterable[EntryPoint] | None = None) -> dict[str, type[msgspec.Struct]]:
    """The model of each section, by name.

    Args:
        entries: entry points to load; ``None`` = those of the group ``pyroadrunner.sections``.

    Raises:
        ConfigError: an installed package names a model that can't be loaded or is not a ``msgspec.Struct`` class.
    """
    models: dict[str, type[msgspec.Struct]] = {}
    faults: list[Fault] = []
    for entry in entry_points(group=GROUP) if entries is None else entries:
        try:
            model = entry.load()
        except (ImportError, AttributeError) as wrong:
            faults.append(_broken(entry, f"can't be loaded: {wrong}"))
            continue
        if isinstance(model, type) and issubclass(model, msgspec.Struct):
            models[entry.name] = model
        else:
            faults.append(_broken(entry, "is not a msgspec.Struct"))
    fail(faults)
    return models


def _broken(entry: EntryPoint, problem: str) -> Fault:
    package = entry.dist.name if entry.dist else "its package"
    return Fault(path=entry.name, message=f"its model {entry.value} {problem}", hint=f"install {package} again")
