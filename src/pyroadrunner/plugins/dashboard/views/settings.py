"""The config: every value, where it was written, and its default."""

from __future__ import annotations

from typing import Any

import msgspec

from pyroadrunner.config.origin import dotted
from pyroadrunner.contracts import EffectiveConfig


def settings(config: EffectiveConfig) -> dict[str, Any]:
    """All values; secrets are masked."""
    return {
        "values": [
            {
                "key": dotted(leaf.path),
                "value": _text(leaf.value),
                "default": None if leaf.default is msgspec.UNSET else _text(leaf.default),
                "source": leaf.source,
                "changed": leaf.changed,
            }
            for leaf in config.leaves()
        ]
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
