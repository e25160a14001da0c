"""The output of ``rr mercure``, rendered from plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyroadrunner.cli.websocket.render import duration
from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table

_TOPICS = 100  # characters of the topics of a subscriber
_WIDTH = 240


def subscribers(found: Sequence[Mapping[str, Any]], look: Look = PLAIN) -> str:
    """One line per subscriber, the oldest first."""
    if not found:
        return "no subscribers"
    rows = [
        [
            Cell(one["id"]),
            Cell(one["remote_addr"]),
            Cell(duration(one["seconds"])),
            Cell(cut(", ".join(one["topics"]), _TOPICS)),
            Cell("yes" if one["private"] else ""),
            Cell(str(one["waiting"])),
        ]
        for one in sorted(found, key=lambda one: -one["seconds"])
    ]
    headers = ["SUBSCRIBER", "ADDRESS", "OPEN FOR", "TOPICS", "PRIVATE", "UPDATES WAITING"]
    return table(headers, rows, look, width=_WIDTH)


def published(identity: str, subscribers: int) -> str:
    """What happened to an update.

    Args:
        subscribers: of this server, to any topic.
    """
    return f"published as {identity}" + ("" if subscribers else "; no client is connected to this server")
