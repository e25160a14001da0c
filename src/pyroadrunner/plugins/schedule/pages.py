"""The page of ``schedule`` on the dashboard."""

from __future__ import annotations

import asyncio

from pyroadrunner.contracts import Action, Column, Page, PageInfo, Row, Table, UnknownAction
from pyroadrunner.plugins.schedule.entry import Entry
from pyroadrunner.plugins.schedule.run import Run
from pyroadrunner.plugins.schedule.scheduler import Scheduler

INFO = PageInfo(name="entries", title="Schedule", refresh=3.0)
_SHOWN = 5  # last runs of an entry

_COLUMNS = (
    Column(key="entry", label="Entry"),
    Column(key="time", label="When"),
    Column(key="action", label="Does", kind="code"),
    Column(key="next", label="Next run", kind="time"),
    Column(key="last", label="Last run", kind="time"),
    Column(key="outcome", label="Outcome", kind="state"),
    Column(key="seconds", label="Took", kind="seconds"),
    Column(key="running", label="Running", kind="number"),
)
_RUN_NOW = Action(name="run", label="Run now")


async def entries_page(scheduler: Scheduler) -> Page:
    """All entries with their next and last runs."""
    rows = await asyncio.gather(*(_row(scheduler, entry) for entry in scheduler))
    table = Table(
        title="Entries", columns=_COLUMNS, rows=rows, actions=[_RUN_NOW], empty="The schedule has no entries."
    )
    lost = f"The store does not answer; nothing runs until it does: {scheduler.store_lost}"
    return Page(blocks=[table], error=lost if scheduler.store_lost else "")


async def run_now(scheduler: Scheduler, action: str, row: str) -> str:
    """Run an entry now; return when it has ended.

    Raises:
        UnknownAction, NoSuchEntry, Stopping, StoreFailed
    """
    if action != "run":
        raise UnknownAction(INFO.name, action)
    run = await scheduler.run_now(scheduler.find(row))
    detail = f": {run.detail}" if run.detail else ""
    return f"{row} has run: {run.outcome}{detail}"


async def _row(scheduler: Scheduler, entry: Entry) -> Row:
    runs = await scheduler.history(entry, _SHOWN) if not scheduler.store_lost else []
    nexts = scheduler.next_runs(entry, 1)
    last = runs[0] if runs else None
    return Row(
        id=entry.name,
        cells={
            "entry": entry.name,
            "time": entry.time,
            "action": str(entry.action),
            "next": nexts[0] / 1000 if nexts else None,
            "last": last.began / 1000 if last else None,
            "outcome": (last.outcome or "running") if last else None,
            "seconds": (last.ended - last.began) / 1000 if last and last.ended else None,
            "running": len(entry.running),
        },
        actions=["run"],
        details={"Last runs": "\n".join(map(_line, runs))} if runs else {},
    )


def _line(run: Run) -> str:
    took = f"{(run.ended - run.began) / 1000:.3f} s" if run.ended else "running"
    return f"{run.outcome or 'running':<8} {took:>10}  {run.trigger:<9} {run.server}  {run.detail}"
