"""The untyped config: plain maps and lists, with the origin of every value. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import KeyPath, Origin


class RawConfig:
    """The merged config of file, flags and environment.

    Attributes:
        data: sections by name, keys in lower case, variables expanded, overrides and includes applied. Must not be
            changed.
        path: absolute path of the main file; empty if there is no file.
        experimental: whether ``-e`` was given.
        notices: warnings from loading, which ``check`` adds to its own.
    """

    def __init__(
        self,
        data: dict[str, Any],
        origins: Mapping[KeyPath, Origin],
        *,
        root: Origin,
        path: str = "",
        experimental: bool = False,
        notices: tuple[Fault, ...] = (),
    ) -> None:
        self.data = data
        self.path = path
        self.experimental = experimental
        self.notices = notices
        self._origins = origins
        self._root = root

    @classmethod
    def from_dict(cls, data: dict[str, Any], label: str) -> RawConfig:
        """A config without a file, such as that of ``rr serve worker.php``.

        Args:
            data: sections by name; keys in lower case.
            label: name of the values' source in errors and ``rr config show``.
        """
        return cls(copy.deepcopy(data), {}, root=Origin(kind="built-in", source=label))

    def __repr__(self) -> str:
        return f"RawConfig({self.path or str(self._root)!r}, sections={sorted(self.data)})"

    def origin(self, path: KeyPath) -> Origin:
        """The origin of the value at ``path``; for an absent key, that of the nearest map around it."""
        for length in range(len(path), 0, -1):
            found = self._origins.get(path[:length])
            if found is not None:
                return found
        return self._root

    def present(self, section: str) -> bool:
        """Whether a section is present, as in RoadRunner: ``metrics:`` (null) is absent, ``metrics: {}`` is present."""
        return self.data.get(section) is not None

    def as_dict(self) -> dict[str, Any]:
        """A deep copy of ``data``."""
        return copy.deepcopy(self.data)
