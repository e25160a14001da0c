"""The output of ``rr websocket``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table

_TOPICS = 60  # characters of the topics of a connection
_WIDTH = 240


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def connections(found: Sequence[Mapping[str, Any]], look: Look = PLAIN) -> str:
    """One line per connection, the oldest first."""
    if not found:
        return "no connections"
    rows = [
        [
            Cell(one["id"]),
            Cell(one["app"]),
            Cell(one["user"]),
            Cell(one["remote_addr"]),
            Cell(duration(one["seconds"])),
            Cell(cut(", ".join(one["topics"]), _TOPICS)),
            Cell(str(one["buffered"])),
            Cell(str(one["dropped"])),
        ]
        for one in sorted(found, key=lambda one: -one["seconds"])
    ]
    headers = ["CONNECTION", "APP", "USER", "ADDRESS", "OPEN FOR", "TOPICS", "BYTES WAITING", "DROPPED"]
    return table(headers, rows, look, width=_WIDTH)


def topics(found: Mapping[str, int], look: Look = PLAIN) -> str:
    """One line per topic, the one with most followers first."""
    if not found:
        return "no topics"
    rows = [
        [Cell(topic), Cell(str(count))] for topic, count in sorted(found.items(), key=lambda one: (-one[1], one[0]))
    ]
    return table(["TOPIC", "FOLLOWERS"], rows, look, width=_WIDTH)


def published(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What happened to a publication, a line per topic."""
    return "\n".join(_published(topic, one) for topic, one in found.items())


def duration(seconds: float) -> str:
    """``2d 3h``, ``3h 5m``, ``5m 1s``, ``1s``."""
    whole = int(seconds)
    for size, unit, rest, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // rest}{lesser}"
    return f"{whole}s"


def _published(topic: str, one: Mapping[str, Any]) -> str:
    receivers = one["receivers"]
    if receivers is None:
        text = "published to all servers"
    elif receivers:
        text = f"sent to {receivers} connection{'s' if receivers != 1 else ''}"
    else:
        text = "published, but no connection follows the topic"
    return f"{topic}: {text}" + (f" (offset {one['offset']})" if one["offset"] else "")
