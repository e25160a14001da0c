"""The output of ``rr reset``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence


def begun(plugin: str) -> str:
    """The line for a reset that starts."""
    return f"{_stamp()} resetting plugin: [{plugin}] "


def running(plugins: Sequence[str]) -> str:
    """The changing line of a terminal."""
    return f"replacing the workers of {', '.join(plugins)} ..."


def done(plugin: str, seconds: float | None = None) -> str:
    """The line for a finished reset.

    Args:
        seconds: how long it took; for a terminal. ``None`` = RoadRunner's line.
    """
    if seconds is not None:
        return f"{plugin}: workers replaced in {seconds:.1f} s"
    return f"{_stamp()} plugin reset: [{plugin}]"


def failed(plugin: str, reason: str, *, live: bool = False) -> str:
    """The line for a failed reset; the old workers keep running.

    Args:
        live: for a terminal.
    """
    if live:
        return f"{plugin} was not reset, its old workers keep running: {reason}"
    return f"{_stamp()} plugin was not reset: [{plugin}]: {reason}"


def as_json(done: Sequence[str], failed: Mapping[str, str]) -> str:
    """The same as JSON: names, and failed names with their errors."""
    return json.dumps({"reset": list(done), "failed": dict(failed)}, indent=2)


def _stamp() -> str:
    """Local time, as Go's log package writes it."""
    return time.strftime("%Y/%m/%d %H:%M:%S")
