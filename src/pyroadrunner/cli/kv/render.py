"""The output of ``rr kv``, rendered from plain data. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pyroadrunner.cli.palette import BAD
from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table
from pyroadrunner.cli.workers.humanize import count, duration

_WIDTH = 80  # of a value in a table


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def storages(found: Sequence[Mapping[str, Any]], look: Look = PLAIN) -> str:
    """One line per storage."""
    if not found:
        return "no storages"
    rows = [
        [
            Cell(storage["name"]),
            Cell(storage["driver"]),
            Cell("?" if storage["error"] else count(storage["items"])),
            Cell(" ".join(storage["error"].split()), BAD),
        ]
        for storage in found
    ]
    headers = ["STORAGE", "DRIVER", "ITEMS", "ERROR"]
    if not any(storage["error"] for storage in found):
        headers, rows = headers[:3], [row[:3] for row in rows]
    return table(headers, rows, look)


def value(found: bytes) -> dict[str, str]:
    """A value for JSON: as text if it is valid UTF-8, else in base64."""
    try:
        return {"text": found.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(found).decode()}


def values(found: Mapping[str, bytes], look: Look = PLAIN) -> str:
    """One line per value, with control characters escaped; long values are truncated."""
    rows = [[Cell(key), Cell(cut(_shown(data), _WIDTH))] for key, data in found.items()]
    return table(["KEY", "VALUE"], rows, look)


def times(found: Mapping[str, float | None], now: float, look: Look = PLAIN) -> str:
    """One line per key: when it expires, and the time left from ``now``; both unix time in seconds."""
    rows = [
        [
            Cell(key),
            Cell("never" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")),
            Cell("" if moment is None else duration(moment - now)),
        ]
        for key, moment in found.items()
    ]
    return table(["KEY", "EXPIRES", "LEFT"], rows, look)


def _shown(data: bytes) -> str:
    text = data[: 4 * _WIDTH].decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
