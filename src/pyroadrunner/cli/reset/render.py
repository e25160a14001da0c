"""What ``rr reset`` prints."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence


def begun(plugin: str) -> str:
    """A reset was asked for."""
    return f"{_stamp()} resetting plugin: [{plugin}] "


def done(plugin: str) -> str:
    """All its workers are new."""
    return f"{_stamp()} plugin reset: [{plugin}]"


def failed(plugin: str, reason: str) -> str:
    """Its old workers go on."""
    return f"{_stamp()} plugin was not reset: [{plugin}]: {reason}"


def as_json(done: Sequence[str], failed: Mapping[str, str]) -> str:
    """The same for machines: names, and names with reasons."""
    return json.dumps({"reset": list(done), "failed": dict(failed)}, indent=2)


def _stamp() -> str:
    """Local time, as Go's log package writes it."""
    return time.strftime("%Y/%m/%d %H:%M:%S")
