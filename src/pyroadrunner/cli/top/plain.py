"""The output of ``rr top`` without a terminal library: tables as text, and JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pyroadrunner.cli.palette import paint
from pyroadrunner.cli.top.columns import PIPELINES, POOLS, WORKERS, Column, Row, Text, Tone, figures, fitting, title
from pyroadrunner.cli.top.model import View
from pyroadrunner.cli.workers.box_drawing import MAX_WIDTH, Cell, Look, cut, table
from pyroadrunner.errors import RoadRunnerError

_SGR = {
    Tone.PLAIN: "",
    Tone.DIM: "2",
    Tone.GOOD: "36",
    Tone.ACTIVE: "32",
    Tone.WARNING: "33",
    Tone.BAD: "1;31",
}


def text(view: View, *, coloured: bool, width: int = MAX_WIDTH) -> str:
    """The sums and one table each of pools, pipelines and workers.

    Args:
        width: of the terminal; columns that do not fit are left out.
    """
    lines = [cut(title(view), width), _figures(view, coloured, width)]
    if view.pools:
        lines.append(_table(POOLS, view.pools, coloured, width))
    if view.pipelines:
        lines.append(_table(PIPELINES, view.pipelines, coloured, width))
    lines.append(_table(WORKERS, view.workers, coloured, width) if view.workers else "no workers")
    return "\n".join(lines)


def as_json(view: View, *, indent: int | None = 2) -> str:
    """All figures, unrounded. New keys may be added; none is removed or renamed."""
    return json.dumps(as_dict(view), indent=indent, ensure_ascii=False)


def error_as_json(error: RoadRunnerError, _width: int) -> str:
    """The line of ``rr top --json`` while the server does not answer."""
    return json.dumps({"error": str(error)}, ensure_ascii=False)


def as_dict(view: View) -> dict[str, Any]:
    """The view as plain data: ``server``, ``totals``, ``pools``, ``pipelines``, ``workers``."""
    server = {"pid": view.pid, "version": view.version, "uptime": view.uptime}
    found = asdict(view)
    return {"server": server, **{name: found[name] for name in ("totals", "pools", "pipelines", "workers")}}


def _figures(view: View, coloured: bool, width: int) -> str:
    found = figures(view.totals)
    shown = "   ".join(f"{name} {value.text}" for name, value in found)
    if not coloured or len(shown) > width:
        return cut(shown, width)
    return "   ".join(f"{name} {paint(value.text, _SGR[value.tone])}" for name, value in found)


def _table(columns: Sequence[Column[Row]], rows: Sequence[Row], coloured: bool, width: int) -> str:
    shown = fitting(columns, width)
    texts = [[column.cell(row) for column in shown] for row in rows]
    widths = [max(len(line[number].text) for line in texts) for number in range(len(shown))]
    cells = [
        [_cell(text, column, size) for text, column, size in zip(line, shown, widths, strict=True)] for line in texts
    ]
    return table([column.header for column in shown], cells, Look(coloured, width if width < MAX_WIDTH else 0))


def _cell(text: Text, column: Column[Any], width: int) -> Cell:
    width = max(width, len(column.header))
    return Cell(text.text.rjust(width) if column.number else text.text, _SGR[text.tone])
