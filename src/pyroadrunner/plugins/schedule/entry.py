"""One entry at run time: its plan, its action, its running runs and its figures."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from pyroadrunner.plugins.schedule.actions.contract import Action
from pyroadrunner.plugins.schedule.config import EntryConfig
from pyroadrunner.plugins.schedule.plan import Plan
from pyroadrunner.plugins.schedule.run import Run
from pyroadrunner.plugins.schedule.timetable import delay_of, timetable_of

BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)  # seconds


@dataclass(slots=True)
class EntryFigures:
    """What this server has done for an entry.

    Attributes:
        outcomes: number of runs by outcome.
        missed: missed slots that were dropped.
        buckets, total: of durations in seconds; the last bucket is for all above the last bound.
        last_run, last_success: when they ended; 0 = not yet.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0
    last_run: int = 0
    last_success: int = 0

    def count(self, run: Run) -> None:
        """Count a run that has ended."""
        self.outcomes[run.outcome] += 1
        if run.outcome == "skipped":
            return
        seconds = (run.ended - run.began) / 1000
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        self.last_run = run.ended
        if run.outcome == "ok":
            self.last_success = run.ended


class Entry:
    """An entry of the config.

    Attributes:
        known: its newest claim when the server started; ``None`` = it is new.
        plan: its slots, once its first ones are looked for.
        running: its runs in this server.
        turn: held by the run at the head of the queue of this server (overlap ``queue``).
        waiting: number of runs that want the turn.

    Args:
        timezone: that of the section.
    """

    def __init__(self, name: str, config: EntryConfig, timezone: str, action: Action) -> None:
        self.name = name
        self.config = config
        self.timezone = config.timezone or timezone
        self.timetable = timetable_of(config.cron, config.interval, config.at, self.timezone)
        self.action = action
        self.known: int | None = None
        self.plan: Plan | None = None
        self.figures = EntryFigures()
        self.running: dict[str, Run] = {}
        self.turn = asyncio.Lock()
        self.waiting = 0

    def __repr__(self) -> str:
        return f"Entry({self.name!r}, {self.plan}, {len(self.running)} running)"

    def due(self, slot: int, salt: str) -> int:
        """When the run of a slot begins: the slot with its delay."""
        return slot + delay_of(f"{salt}:{self.name}", slot, round(self.config.jitter * 1000))

    @property
    def time(self) -> str:
        """Its timetable, for operators."""
        if self.config.interval:
            return f"every {self.config.interval:g} s"
        return f"{self.config.cron or self.config.at} {self.timezone}"
