"""The config the server runs with, for plugins that show it (``contracts.Effective``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pyroadrunner.config.check import Checked
from pyroadrunner.config.effective import effective
from pyroadrunner.config.raw import RawConfig


class EffectiveConfig:
    """Built only when asked for. Secrets are masked: whoever reaches RPC must not learn them."""

    def __init__(self, raw: RawConfig, checked: Checked, models: Mapping[str, type[msgspec.Struct]]) -> None:
        self._raw = raw
        self._checked = checked
        self._models = models

    def __repr__(self) -> str:
        return f"EffectiveConfig({self._raw!r})"

    def as_dict(self) -> dict[str, Any]:
        """Every section with every value, the defaults too."""
        config: dict[str, Any] = {}
        for leaf in effective(self._raw, self._checked, self._models):
            holder = config
            for part in leaf.path[:-1]:
                holder = holder.setdefault(str(part), {})
            holder[str(leaf.path[-1])] = leaf.value
        return config

    def section(self, name: str) -> msgspec.Struct | None:
        """A checked section, secrets included."""
        return self._checked.sections.get(name)
