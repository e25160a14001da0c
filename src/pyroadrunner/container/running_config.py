"""The running config, for plugins that show it (``contracts.EffectiveConfig``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pyroadrunner.config.check import Checked
from pyroadrunner.config.effective import Leaf, effective
from pyroadrunner.config.origin import KeyPath
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.config.secrets import masked


class RunningConfig:
    """The running config, built on first use. Secrets are masked, since any RPC client can read it."""

    def __init__(self, raw: RawConfig, checked: Checked, models: Mapping[str, type[msgspec.Struct]]) -> None:
        self._raw = raw
        self._checked = checked
        self._models = models
        self._values: Mapping[KeyPath, Any] | None = None  # set by a reload

    def __repr__(self) -> str:
        return f"RunningConfig({self._raw!r})"

    def as_dict(self) -> dict[str, Any]:
        """All sections with all values, including defaults."""
        return self.shown(self.values())

    def values(self) -> Mapping[KeyPath, Any]:
        """The same by path, with secrets."""
        if self._values is not None:
            return self._values
        leaves = effective(self._raw, self._checked, self._models, reveal=True)
        return {leaf.path: leaf.value for leaf in leaves}

    def leaves(self) -> Sequence[Leaf]:
        """The same with sources and defaults; secrets are masked. The source of a value that a reload has changed is
        ``reload``."""
        leaves = effective(self._raw, self._checked, self._models)
        if self._values is None:
            return leaves
        began = {leaf.path: leaf for leaf in leaves}
        old = {leaf.path: leaf.value for leaf in effective(self._raw, self._checked, self._models, reveal=True)}
        found = []
        for path, value in self._values.items():
            leaf = began.get(path)
            if leaf is None or old[path] != value:
                default = leaf.default if leaf is not None else msgspec.UNSET
                leaf = Leaf(path=path, value=masked(value, path), source="reload", default=default)
            found.append(leaf)
        return found

    def become(self, values: Mapping[KeyPath, Any]) -> None:
        """Replace the values after a reload."""
        self._values = dict(values)

    @staticmethod
    def shown(values: Mapping[KeyPath, Any]) -> dict[str, Any]:
        """Convert values by path to nested maps, with secrets masked."""
        config: dict[str, Any] = {}
        for path, value in values.items():
            holder = config
            for part in path[:-1]:
                inner = holder.get(str(part))
                if not isinstance(inner, dict):  # or the null of a map that was not set before a reload
                    inner = holder[str(part)] = {}
                holder = inner
            holder[str(path[-1])] = masked(value, path)
        return config

    @property
    def experimental(self) -> bool:
        """Whether ``-e`` was given."""
        return self._raw.experimental

    def section(self, name: str) -> msgspec.Struct | None:
        """A checked section, secrets included."""
        return self._checked.sections.get(name)
