"""The methods of ``schedule``, for ``rr schedule`` and other operators. JSON; times are seconds since the epoch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.schedule.entry import Entry
from pyroadrunner.plugins.schedule.run import Run
from pyroadrunner.plugins.schedule.scheduler import Scheduler


class Chosen(msgspec.Struct, kw_only=True):
    """Arguments of ``Next`` and ``History``."""

    entries: list[str] = []
    """Names; empty = all."""
    count: Annotated[int, Meta(ge=1, le=1000)] = 5
    """Number of times or runs for each entry."""


class Named(msgspec.Struct, kw_only=True):
    """Arguments of ``Run``."""

    entry: str = ""


class ScheduleRpc:
    """Handles the calls of operators."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "List": RpcMethod(self.entries),
            "Next": RpcMethod(self.next, Chosen),
            "History": RpcMethod(self.history, Chosen),
            "Run": RpcMethod(self.run, Named),
        }

    async def entries(self, _: bool) -> Any:
        """All entries: time, action, next and last run."""
        return list(await asyncio.gather(*map(self._entry, self._scheduler)))

    async def next(self, chosen: Chosen) -> Any:
        """The next runs of entries, in order of time."""
        entries = self._chosen(chosen)

        def runs() -> list[dict[str, Any]]:
            found = [
                {"entry": entry.name, "time": time / 1000, "timezone": entry.timezone}
                for entry in entries
                for time in self._scheduler.next_runs(entry, chosen.count)
            ]
            return sorted(found, key=lambda run: float(run["time"]))

        return await asyncio.to_thread(runs)  # a thousand times of a hundred entries take seconds

    async def history(self, chosen: Chosen) -> Any:
        """The last runs of entries, newest first."""
        found = await asyncio.gather(*(self._scheduler.history(entry, chosen.count) for entry in self._chosen(chosen)))
        runs = sorted((run for runs in found for run in runs), key=lambda run: run.began, reverse=True)
        return [shown(run) for run in runs]

    async def run(self, named: Named) -> Any:
        """Run an entry now; the reply comes when it has ended."""
        return shown(await self._scheduler.run_now(self._scheduler.find(named.entry)))

    def _chosen(self, chosen: Chosen) -> list[Entry]:
        if not chosen.entries:
            return list(self._scheduler)
        return [self._scheduler.find(name) for name in dict.fromkeys(chosen.entries)]

    async def _entry(self, entry: Entry) -> dict[str, Any]:
        runs = await self._scheduler.history(entry, 1)
        times = self._scheduler.next_runs(entry, 1)
        return {
            "entry": entry.name,
            "schedule": entry.time,
            "timezone": entry.timezone,
            "action": str(entry.action),
            "running": len(entry.running),
            "next": times[0] / 1000 if times else None,
            "last": shown(runs[0]) if runs else None,
        }


def shown(run: Run) -> dict[str, Any]:
    """A run, for operators."""
    return {
        "id": run.id,
        "entry": run.entry,
        "trigger": run.trigger,
        "scheduled": run.slot / 1000,
        "began": run.began / 1000,
        "seconds": (run.ended - run.began) / 1000 if run.ended else None,
        "outcome": run.outcome,
        "detail": run.detail,
        "server": run.server,
    }
