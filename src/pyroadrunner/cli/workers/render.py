"""The output of ``rr workers``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pyroadrunner.cli.palette import paint
from pyroadrunner.cli.workers import humanize
from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH, Cell, Look, table
from pyroadrunner.cli.workers.snapshot import PluginView

Worker = dict[str, Any]
Column = tuple[str, Callable[[Worker], Cell]]

_BRIGHT_YELLOW = "93"
_COLOURS = {
    **dict.fromkeys(("ready",), "36"),
    **dict.fromkeys(("working",), "32"),
    **dict.fromkeys(("inactive", "invalid"), "33"),
    **dict.fromkeys(("stopped", "errored"), "31"),
}


def text(views: Sequence[PluginView], now: float, *, coloured: bool, width: int = MAX_WIDTH, live: bool = False) -> str:
    """A table of workers for each plugin with workers, then a table of pipelines for each plugin with pipelines.

    Args:
        now: unix time, seconds.
        coloured: whether to use colours.
        width: the maximum width of a table.
        live: also show the current activity of each worker, and for how long.
    """
    tables = []
    for view in views:
        if view.workers or view.error:
            tables.append(_title("Workers", view.name, coloured))
            tables.append(_workers(view, now, coloured=coloured, width=width, live=live))
    for view in views:
        if view.jobs:
            tables.append(_title("Jobs", view.name, coloured))
            tables.append(_jobs(view, coloured=coloured, width=width))
    return "\n".join(tables) or "no workers"


def as_json(views: Sequence[PluginView]) -> str:
    """The same as JSON: by plugin its workers and pipelines, or an error instead."""
    data = {}
    for view in views:
        data[view.name] = asdict(view)
        del data[view.name]["name"]
    return json.dumps(data, indent=2)


def _title(kind: str, name: str, coloured: bool) -> str:
    return f"{kind} of [{paint(name, _BRIGHT_YELLOW) if coloured else name}]:"


def _workers(view: PluginView, now: float, *, coloured: bool, width: int, live: bool) -> str:
    columns = _service_columns() if view.name == "service" else _columns(view, now, live)
    headers = [header for header, _ in columns]
    rows = [[cell(worker) for _, cell in columns] for worker in view.workers]
    if view.error:
        rows = [[_error_cell(header, view.error) for header in headers]]
    return table(headers, rows, _look(coloured, width), width=width)


def _look(coloured: bool, width: int) -> Look:
    """Below RoadRunner's maximum the width is that of a terminal."""
    return Look(coloured, width if width < MAX_WIDTH else 0)


def _error_cell(header: str, error: str) -> Cell:
    return Cell({"PID": "0", "STATUS": error}.get(header, "ERROR"))


def _columns(view: PluginView, now: float, live: bool) -> list[Column]:
    columns: list[Column] = [
        ("PID", lambda worker: Cell(str(worker["pid"]))),
        ("STATUS", lambda worker: Cell(worker["statusStr"], _COLOURS.get(worker["statusStr"], ""))),
        ("EXECS", lambda worker: Cell(humanize.count(worker["numExecs"]))),
        ("MEMORY", lambda worker: Cell(humanize.size(worker["memoryUsage"]))),
        ("CPU %", lambda worker: Cell(humanize.percent(worker["CPUPercent"]))),
        ("CREATED", lambda worker: Cell(humanize.ago(now - worker["created"] / 1e9))),
    ]
    if len({worker.get("pool") for worker in view.workers}) > 1:
        columns.insert(1, ("POOL", lambda worker: Cell(worker["pool"])))
    if live:
        columns.append(("FOR", lambda worker: Cell(_busy_for(worker, now))))
        columns.append(("NOW", lambda worker: Cell(worker.get("activity", ""))))
    return columns


def _busy_for(worker: Worker, now: float) -> str:
    since = worker.get("activitySince", 0)
    return humanize.duration(now - since / 1e9) if since else ""


def _service_columns() -> list[Column]:
    return [
        ("PID", lambda worker: Cell(str(worker["pid"]))),
        ("MEMORY", lambda worker: Cell(humanize.size(worker["memoryUsage"]))),
        ("CPU %", lambda worker: Cell(humanize.percent(worker["CPUPercent"]))),
        ("COMMAND", lambda worker: Cell(worker["command"])),
    ]


def _jobs(view: PluginView, *, coloured: bool, width: int) -> str:
    headers = ["STATUS", "PIPELINE", "DRIVER", "QUEUE", "ACTIVE", "DELAYED", "RESERVED"]
    rows = [
        [
            Cell("READY", "32") if job["Ready"] else Cell("PAUSED/STOPPED", "33"),
            *(Cell(str(job[key])) for key in ("Pipeline", "Driver", "Queue", "Active", "Delayed", "Reserved")),
        ]
        for job in sorted(view.jobs, key=lambda job: str(job["Pipeline"]))
    ]
    return table(headers, rows, _look(coloured, width), width=width)
