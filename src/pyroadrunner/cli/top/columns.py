"""The columns of the tables of ``rr top``: header, text and tone of each cell, and which fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from pyroadrunner.cli.top.model import PipelineRow, PoolRow, Totals, View, WorkerRow
from pyroadrunner.cli.workers import humanize
from pyroadrunner.cli.workers.box_drawing import printable

Row = TypeVar("Row")
SLOW = 5.0  # seconds: a call that takes longer stands out
_STALLED = 30.0


class Tone(Enum):
    """What a cell says; each way to show it has its own colours."""

    PLAIN = "plain"
    DIM = "dim"
    GOOD = "good"
    ACTIVE = "active"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Text:
    """The content of a cell."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column.

    Attributes:
        key: stable name; of workers, what they can be sorted by.
        number: whether it is aligned to the right.
        from_width: hidden on narrower terminals; characters.
    """

    key: str
    header: str
    cell: Callable[[Row], Text]
    number: bool = False
    from_width: int = 0


def fitting(columns: Sequence[Column[Row]], width: int) -> list[Column[Row]]:
    """The columns for a terminal of this width; 0 = any."""
    return [column for column in columns if not width or width >= column.from_width]


_STATUS = {
    "ready": Tone.GOOD,
    "working": Tone.ACTIVE,
    "inactive": Tone.WARNING,
    "invalid": Tone.WARNING,
    "stopped": Tone.BAD,
    "errored": Tone.BAD,
}
_STATE = {"ready": Tone.GOOD, "paused": Tone.WARNING, "connecting": Tone.WARNING, "failed": Tone.BAD}

# The first six are RoadRunner's.
WORKERS: Sequence[Column[WorkerRow]] = (
    Column("pid", "PID", lambda row: Text(str(row.pid)), number=True),
    Column("status", "STATUS", lambda row: Text(row.status or "running", _STATUS.get(row.status, Tone.PLAIN))),
    Column("execs", "EXECS", lambda row: Text(humanize.count(row.execs)), number=True, from_width=70),
    Column("memory", "MEMORY", lambda row: Text(humanize.size(row.memory)), number=True, from_width=50),
    Column("cpu", "CPU %", lambda row: Text(f"{row.cpu:.1f}", _loaded(row.cpu)), number=True, from_width=60),
    Column("created", "CREATED", lambda row: Text(_created(row), Tone.DIM), from_width=100),
    Column("pool", "POOL", lambda row: Text(row.pool or row.plugin), from_width=60),
    Column("for", "FOR", lambda row: Text(_for(row), _slow(row.busy_for)), number=True),
    Column("now", "NOW", lambda row: Text(printable(row.activity))),
)
POOLS: Sequence[Column[PoolRow]] = (
    Column("pool", "POOL", lambda row: Text(row.name)),
    Column("workers", "WORKERS", lambda row: Text(str(row.workers)), number=True),
    Column("busy", "BUSY", lambda row: Text(str(row.busy), _full(row)), number=True),
    Column("queue", "QUEUE", lambda row: Text(humanize.count(row.queued), _some(row.queued)), number=True),
    Column("wait", "OLDEST WAIT", lambda row: Text(_wait(row), _slow(row.oldest_wait)), number=True, from_width=80),
    Column("calls", "CALLS/S", lambda row: Text(rate(row.calls_per_second)), number=True),
    Column(
        "errors", "ERRORS/S", lambda row: Text(rate(row.failed_per_second), _bad(row.failed_per_second)), number=True
    ),
    Column("memory", "MEMORY", lambda row: Text(humanize.size(row.memory)), number=True, from_width=70),
    Column("cpu", "CPU %", lambda row: Text(f"{row.cpu:.0f}"), number=True, from_width=80),
    Column("total", "CALLS", lambda row: Text(humanize.count(row.calls)), number=True, from_width=100),
    Column("failed", "FAILED", lambda row: Text(humanize.count(row.failed)), number=True, from_width=100),
)
PIPELINES: Sequence[Column[PipelineRow]] = (
    Column("pipeline", "PIPELINE", lambda row: Text(row.name)),
    Column("state", "STATE", lambda row: Text(row.state, _STATE.get(row.state, Tone.PLAIN))),
    Column("running", "RUNNING", lambda row: Text(humanize.count(row.running)), number=True),
    Column("active", "ACTIVE", lambda row: Text(humanize.count(row.active)), number=True),
    Column("delayed", "DELAYED", lambda row: Text(humanize.count(row.delayed)), number=True, from_width=80),
    Column("reserved", "RESERVED", lambda row: Text(humanize.count(row.reserved)), number=True, from_width=90),
    Column("done", "JOBS/S", lambda row: Text(rate(row.done_per_second)), number=True),
    Column(
        "errors", "ERRORS/S", lambda row: Text(rate(row.failed_per_second), _bad(row.failed_per_second)), number=True
    ),
    Column("driver", "DRIVER", lambda row: Text(row.driver), from_width=70),
    Column("error", "ERROR", lambda row: Text(printable(" ".join(row.error.split())), Tone.BAD), from_width=80),
)


def title(view: View) -> str:
    """``pyroadrunner 0.1.0, pid 4711, up 2 h 3 min``"""
    parts = [f"pyroadrunner {view.version}" if view.version else "RoadRunner"]
    if view.pid:
        parts.append(f"pid {view.pid}")
    if view.uptime is not None:
        parts.append(f"up {humanize.duration(view.uptime)}")
    return ", ".join(parts)


def figures(totals: Totals) -> list[tuple[str, Text]]:
    """The sums with their names, most important first."""
    busy = Tone.WARNING if totals.workers and totals.busy == totals.workers else Tone.PLAIN
    found = [
        ("requests/s", Text(rate(totals.requests_per_second))),
        ("errors/s", Text(rate(totals.errors_per_second), _bad(totals.errors_per_second))),
        ("queue", Text(humanize.count(totals.queued), _some(totals.queued))),
        ("busy", Text(f"{totals.busy} of {totals.workers}", busy)),
        ("memory", Text(humanize.size(totals.memory))),
        ("CPU", Text(f"{totals.cpu:.0f} %")),
    ]
    if totals.jobs_per_second is not None:
        found.insert(1, ("jobs/s", Text(rate(totals.jobs_per_second))))
    return found


def rate(per_second: float | None) -> str:
    """``10,231``, ``0.5``; ``-`` if it is not known yet."""
    if per_second is None:
        return "-"
    return f"{per_second:.1f}" if 0 < per_second < 10 else humanize.count(round(per_second))


def _created(row: WorkerRow) -> str:
    return "" if row.age is None else humanize.ago(row.age)


def _for(row: WorkerRow) -> str:
    return "" if row.busy_for is None else humanize.duration(row.busy_for)


def _wait(row: PoolRow) -> str:
    return humanize.duration(row.oldest_wait) if row.queued else ""


def _slow(seconds: float | None) -> Tone:
    if seconds is None or seconds < SLOW:
        return Tone.PLAIN
    return Tone.BAD if seconds >= _STALLED else Tone.WARNING


def _loaded(percent: float) -> Tone:
    return Tone.WARNING if percent >= 90 else Tone.PLAIN


def _full(row: PoolRow) -> Tone:
    return Tone.WARNING if row.workers and row.busy >= row.workers else Tone.PLAIN


def _some(count: int) -> Tone:
    return Tone.WARNING if count else Tone.PLAIN


def _bad(per_second: float | None) -> Tone:
    return Tone.BAD if per_second else Tone.PLAIN
