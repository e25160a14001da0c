"""The output of ``rr reset``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence


def begun(plugin: str) -> str:
    """The line for a reset that starts."""
    return f"{_stamp()} resetting plugin: [{plugin}] "


def done(plugin: str) -> str:
    """The line for a finished reset."""
    return f"{_stamp()} plugin reset: [{plugin}]"


def failed(plugin: str, reason: str) -> str:
    """The line for a failed reset; the old workers keep running."""
    return f"{_stamp()} plugin was not reset: [{plugin}]: {reason}"


def as_json(done: Sequence[str], failed: Mapping[str, str]) -> str:
    """The same as JSON: names, and failed names with their errors."""
    return json.dumps({"reset": list(done), "failed": dict(failed)}, indent=2)


def _stamp() -> str:
    """Local time, as Go's log package writes it."""
    return time.strftime("%Y/%m/%d %H:%M:%S")
