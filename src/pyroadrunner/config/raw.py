"""The config before it is typed: plain maps and lists, and for every value where it was written. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import KeyPath, Origin


class RawConfig:
    """What file, flags and environment say together.

    Attributes:
        data: sections by name, keys lower-cased, variables expanded, overrides and includes applied. Not to be changed.
        path: absolute path of the main file; empty when there is none.
        experimental: whether ``-e`` was given.
        notices: what loading saw that is legal and hardly meant; ``section.check`` passes them on as warnings.
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
        """A config nobody wrote down, such as that of ``rr serve worker.php``.

        Args:
            data: sections by name; keys lower-case.
            label: what faults and ``rr config show`` say its values come from.
        """
        return cls(copy.deepcopy(data), {}, root=Origin(kind="built-in", source=label))

    def __repr__(self) -> str:
        return f"RawConfig({self.path or str(self._root)!r}, sections={sorted(self.data)})"

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at ``path`` was written; for a key that is not there, where the nearest map around it was."""
        for length in range(len(path), 0, -1):
            found = self._origins.get(path[:length])
            if found is not None:
                return found
        return self._root

    def present(self, section: str) -> bool:
        """Whether a section is there: ``metrics:`` (null) is absent, ``metrics: {}`` is present, as in RoadRunner."""
        return self.data.get(section) is not None

    def as_dict(self) -> dict[str, Any]:
        """A copy of ``data`` that may be changed."""
        return copy.deepcopy(self.data)
