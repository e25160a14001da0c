"""The scheduler with a wall clock that the test sets, and actions that it controls."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.contracts import Tracing
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.plugins.schedule.config import EntryConfig, ScheduleConfig
from pyroadrunner.plugins.schedule.entry import Entry
from pyroadrunner.plugins.schedule.scheduler import Scheduler
from pyroadrunner.plugins.schedule.store import Store, StoreFailed
from pyroadrunner.plugins.schedule.stores.memory import MemoryStore

START = 1_780_000_000_000 // 3_600_000 * 3_600_000  # ms; a full hour in 2026


def schedule_section(**keys: Any) -> ScheduleConfig:
    """A ``schedule`` section, read as from a file."""
    section, reader = read_section(**keys)
    assert section is not None, reader.faults
    return section


def read_section(**keys: Any) -> tuple[ScheduleConfig | None, SectionReader]:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    section = reader.read(ScheduleConfig, keys, ("schedule",))
    assert section is None or isinstance(section, ScheduleConfig)
    return section, reader


class WallClock:
    """A wall clock that moves with the loop's clock, until it is set.

    Args:
        ahead: milliseconds that it is ahead of other clocks.
        start: what the others show now.
    """

    def __init__(self, ahead: int = 0, start: int = START) -> None:
        self._loop = asyncio.get_running_loop()
        self._offset = start - round(self._loop.time() * 1000) + ahead

    def __call__(self) -> int:
        return round(self._loop.time() * 1000) + self._offset

    def step(self, ms: int) -> None:
        """Set the clock forward or back."""
        self._offset += ms


class KeptStore(MemoryStore):
    """Claims and history that survive the schedulers of a test, as in a file or in Redis.

    Attributes:
        away: whether it does not answer.
    """

    def __init__(self, history: int = 1000) -> None:
        super().__init__(history)
        self.away = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("begin", "finish", "renew", "history", "last_slots") and object.__getattribute__(self, "away"):
            raise StoreFailed("the store is away")
        return super().__getattribute__(name)


class Done:
    """What actions have done, in all servers.

    Attributes:
        slots: how often each entry has run for a time (in ISO 8601).
        running, most: runs at the same time by entry.
    """

    def __init__(self) -> None:
        self.slots: Counter[tuple[str, str]] = Counter()
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def times(self, entry: str) -> list[str]:
        """The times an entry has run for, without the date."""
        return sorted(time[11:19] for name, time in self.slots.elements() if name == entry)


class FakeAction:
    """Takes some time.

    Attributes:
        occasions: of its runs.

    Args:
        seconds: how long.
        fails: the error; empty = it succeeds.
    """

    def __init__(self, done: Done, seconds: float = 0.0, fails: str = "") -> None:
        self._done = done
        self._seconds = seconds
        self._fails = fails
        self.occasions: list[Occasion] = []

    def __str__(self) -> str:
        return "fake"

    async def run(self, occasion: Occasion) -> str:
        done, entry = self._done, occasion.entry
        self.occasions.append(occasion)
        done.slots[entry, occasion.time] += 1
        done.running[entry] += 1
        done.most[entry] = max(done.most[entry], done.running[entry])
        try:
            await asyncio.sleep(self._seconds)
        finally:
            done.running[entry] -= 1
        if self._fails:
            raise ActionFailed(self._fails)
        return "done"


class FakeServer:
    """A scheduler that runs from the start of the ``async with`` to its end."""

    def __init__(
        self,
        done: Done,
        store: Store | None = None,
        *,
        clock: WallClock | None = None,
        seconds: float = 0.0,
        fails: str = "",
        tracing: Sequence[Tracing] = (),
        **entries: dict[str, Any],
    ) -> None:
        self.clock = clock or WallClock()
        self.store = store or MemoryStore(100)
        self.scheduler = Scheduler(self.store, tracing, clock=self.clock)
        self.entries = {name: entry(name, FakeAction(done, seconds, fails), **keys) for name, keys in entries.items()}
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FakeServer:
        await self.store.start()
        self.scheduler.become(self.entries)
        self.task = asyncio.create_task(self.scheduler.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self, grace: float = 10.0) -> None:
        await self.scheduler.stop(grace)
        assert self.task is not None
        await asyncio.wait([self.task])
        assert self.task.cancelled() or self.task.exception() is None

    async def crash(self) -> None:
        """End without a word to the store."""
        assert self.task is not None
        self.task.cancel()
        for task in list(self.scheduler._tasks):
            task.cancel()
        await asyncio.wait([self.task, *self.scheduler._tasks])


def entry(name: str, action: FakeAction, **keys: Any) -> Entry:
    config = schedule_section(entries={name: {"command": "true", **keys}}).entries[name]
    assert isinstance(config, EntryConfig)
    return Entry(name, config, "UTC", action)
