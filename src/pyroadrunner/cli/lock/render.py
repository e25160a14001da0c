"""The output of ``rr lock``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table
from pyroadrunner.cli.workers.humanize import count, duration

_WIDTH = 60  # of a name or an id


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def locks(found: Sequence[Mapping[str, Any]], look: Look = PLAIN) -> str:
    """One line per holder."""
    if not found:
        return "no locks"
    rows = [
        [
            Cell(_shown(lock["resource"])),
            Cell("exclusive" if lock["exclusive"] else "read"),
            Cell(_shown(holder["id"])),
            Cell(duration(holder["ttl"] / 1_000_000) if holder["ttl"] else "no limit"),
            Cell(str(holder["token"])),
            Cell(count(len(lock["waiting"]))),
        ]
        for lock in found
        for holder in lock["holders"]
    ]
    return table(["RESOURCE", "KIND", "HOLDER", "LEFT", "TOKEN", "WAITING"], rows, look)


def _shown(text: str) -> str:
    """``text`` with control characters escaped, truncated."""
    return cut("".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text), _WIDTH)
