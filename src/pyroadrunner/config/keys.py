"""Normalise keys like RoadRunner: lower case at every level, split at dots. Pure. (rpc-cli-config.md, section 1.1)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import KeyPath, Origin, dotted

# The key in `objectives: {0.5: 0.05}` is a quantile, not a path (RoadRunner splits it and drops the section).
_NUMBER = re.compile(r"\d*\.\d+")


@dataclass(slots=True)
class Layer:
    """A document with normalised keys: the values, their origins, and the errors of the keys."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def forget(self, path: KeyPath) -> None:
        """Forget the origins of the value at ``path`` and of all values inside it, because it is replaced."""
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]


def split_key(key: str) -> list[str]:
    """Split a written key into the keys of its path."""
    key = key.lower()
    parts = key.split(".")
    if len(parts) == 1 or not all(parts) or _NUMBER.fullmatch(key):
        return [key]
    return parts


def keeps_spelling(path: KeyPath) -> bool:
    """Whether the keys of the map at ``path`` are names of something on a broker (arguments of a queue, tags, topics),
    which keep their case and their dots: RoadRunner changes them. They are in the settings of a driver of ``jobs``."""
    return len(path) > 4 and path[:2] == ("jobs", "pipelines") and path[3] == "config"


def normalise(document: Mapping[str, Any], lines: Mapping[KeyPath, int], place: Origin) -> Layer:
    """Convert all keys to lower case, expand dotted keys to maps, and record the origin of every key. Some maps keep
    theirs, see :func:`keeps_spelling`.

    Keys that become equal (``Http`` and ``http``; ``http.address`` and ``http: {address: }``) are merged if both are
    maps. Otherwise they are an error: RoadRunner uses a random one.

    Args:
        document: the parsed document; its keys are strings.
        lines: line of each key, by path in ``document``; may be empty.
        place: the file, for the origins.
    """
    layer = Layer()
    _Walk(layer, lines, place).map(document, (), layer.data, ())
    return layer


@dataclass(slots=True)
class _Walk:
    layer: Layer
    lines: Mapping[KeyPath, int]
    place: Origin

    def map(self, source: Mapping[str, Any], written: KeyPath, target: dict[str, Any], path: KeyPath) -> None:
        for key, value in source.items():
            here = (*written, key)
            *parents, last = [key] if keeps_spelling(path) else split_key(key)
            holder, place = target, path
            for parent in parents:
                place = (*place, parent)
                holder = self._map_at(holder, parent, place, here)
            self._put(holder, last, value, (*place, last), here)

    def _map_at(self, holder: dict[str, Any], key: str, path: KeyPath, written: KeyPath) -> dict[str, Any]:
        found = holder.get(key)
        if isinstance(found, dict):
            return found
        if found is not None:
            self._twice(path, written)
        self._note(path, written)
        made: dict[str, Any] = {}
        holder[key] = made
        return made

    def _put(self, holder: dict[str, Any], key: str, value: Any, path: KeyPath, written: KeyPath) -> None:
        if isinstance(value, Mapping):
            self.map(value, written, self._map_at(holder, key, path, written), path)
            return
        if key in holder:
            self._twice(path, written)
            return
        self._note(path, written)
        holder[key] = (
            [self._item(item, (*written, i), (*path, i)) for i, item in enumerate(value)]
            if (isinstance(value, list))
            else value
        )

    def _item(self, value: Any, written: KeyPath, path: KeyPath) -> Any:
        self._note(path, written)
        if isinstance(value, Mapping):
            inner: dict[str, Any] = {}
            self.map(value, written, inner, path)
            return inner
        if isinstance(value, list):
            return [self._item(item, (*written, i), (*path, i)) for i, item in enumerate(value)]
        return value

    def _note(self, path: KeyPath, written: KeyPath) -> None:
        self.layer.origins[path] = self._origin(written)

    def _origin(self, written: KeyPath) -> Origin:
        return Origin(kind=self.place.kind, source=self.place.source, line=self.lines.get(written))

    def _twice(self, path: KeyPath, written: KeyPath) -> None:
        first = self.layer.origins.get(path, self.place)
        self.layer.faults.append(
            Fault(
                path=dotted(path),
                message=f"is set twice, first at {first}; keys are case-insensitive, and a dot separates levels",
                hint="remove one",
                origin=self._origin(written),
            )
        )
