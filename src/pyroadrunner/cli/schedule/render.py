"""The output of ``rr schedule``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from pyroadrunner.cli.palette import IDLE, STATES
from pyroadrunner.cli.workers.box_drawing import PLAIN, Cell, Look, cut, table

_ACTION = 50  # characters of an action
_DETAIL = 80  # characters of a detail
_WIDTH = 240

Found = Sequence[Mapping[str, Any]]


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def entries(found: Found, look: Look = PLAIN) -> str:
    """One line per entry; times in its time zone."""
    if not found:
        return "no entries"
    rows = []
    for one in found:
        zone, last = _zone(one["timezone"]), one["last"] or {}
        rows.append(
            [
                Cell(one["entry"]),
                Cell(one["schedule"]),
                Cell(cut(one["action"], _ACTION)),
                Cell(_time(one["next"], zone)),
                Cell(_time(last.get("began"), zone)),
                Cell(f"{one['running']} running", IDLE) if one["running"] else _outcome(last.get("outcome", "")),
                Cell(_duration(last.get("seconds"))),
            ]
        )
    headers = ["ENTRY", "SCHEDULE", "ACTION", "NEXT RUN", "LAST RUN", "OUTCOME", "DURATION"]
    return table(headers, rows, look, width=_WIDTH)


def times(found: Found, look: Look = PLAIN) -> str:
    """One line per run, in order of time."""
    if not found:
        return "no runs"
    rows = [[Cell(_time(one["time"], _zone(one["timezone"]))), Cell(one["entry"])] for one in found]
    return table(["TIME", "ENTRY"], rows, look)


def runs(found: Found, look: Look = PLAIN) -> str:
    """One line per run, newest first; times in UTC."""
    if not found:
        return "no runs"
    rows = [
        [
            Cell(_time(one["began"], UTC)),
            Cell(one["entry"]),
            Cell(one["trigger"]),
            _outcome(one["outcome"]),
            Cell(_duration(one["seconds"])),
            Cell(one["server"]),
            Cell(_detail(one)),
        ]
        for one in found
    ]
    headers = ["BEGAN", "ENTRY", "TRIGGER", "OUTCOME", "DURATION", "SERVER", "DETAIL"]
    return table(headers, rows, look, width=_WIDTH)


def run(one: Mapping[str, Any]) -> str:
    """One run in a line."""
    return f"{one['entry']}: {one['outcome']} after {_duration(one['seconds'])}: {_detail(one)}"


def _outcome(outcome: str) -> Cell:
    return Cell(outcome, STATES.get(outcome, ""))


def _detail(one: Mapping[str, Any]) -> str:
    return cut(" ".join(one["detail"].split()), _DETAIL)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # the server knows it, this machine does not
        return UTC


def _time(seconds: float | None, zone: tzinfo) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"
