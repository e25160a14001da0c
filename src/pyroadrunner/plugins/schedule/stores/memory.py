"""Claims and history in memory: for one server, lost when it stops."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from pyroadrunner.plugins.schedule.run import Run, skipped
from pyroadrunner.plugins.schedule.store import KEPT, Answer, Overlap, takes


class _Entry:
    def __init__(self) -> None:
        self.claims: dict[int, str] = {}
        self.last: int | None = None
        self.running = ""
        self.runs: dict[str, Run] = {}

    def claim(self, run: Run) -> None:
        last = takes(run.slot, self.last)
        if self.last is not None and last < self.last:
            self.claims.clear()  # made with a wrong clock
        self.last = last
        self.claims[run.slot] = run.id
        while (oldest := next(iter(self.claims))) < last - KEPT:
            del self.claims[oldest]


class MemoryStore:
    """Implements :class:`~pyroadrunner.plugins.schedule.store.Store`.

    Args:
        history: number of runs to keep for each entry.
    """

    def __init__(self, history: int) -> None:
        self.salt = socket.gethostname()
        self._history = history
        self._entries: dict[str, _Entry] = {}

    def __repr__(self) -> str:
        return "MemoryStore()"

    async def start(self) -> None:
        pass

    async def last_slots(self, entries: Sequence[str], now: int) -> Mapping[str, int]:
        found = {}
        for name in entries:
            entry = self._entry(name)
            entry.last = found[name] = now if entry.last is None else entry.last
        return found

    async def begin(self, run: Run, overlap: Overlap) -> Answer:
        entry = self._entry(run.entry)
        claims = run.trigger != "manual"
        if claims and entry.claims.get(run.slot, run.id) != run.id:
            return Answer.TAKEN
        busy = overlap != "allow" and entry.running not in ("", run.id)
        if busy and overlap == "queue":
            return Answer.WAIT
        if claims:
            entry.claim(run)
        if not busy and overlap != "allow":
            entry.running = run.id
        self._record(entry, skipped(run) if busy else run)
        return Answer.SKIPPED if busy else Answer.RUN

    async def renew(self, run: Run) -> None:
        self._record(self._entry(run.entry), run)

    async def finish(self, run: Run) -> None:
        entry = self._entry(run.entry)
        if entry.running == run.id:
            entry.running = ""
        self._record(entry, run)

    async def history(self, entry: str, most: int) -> Sequence[Run]:
        return list(self._entry(entry).runs.values())[::-1][:most]

    async def stop(self) -> None:
        pass

    def _entry(self, name: str) -> _Entry:
        return self._entries.setdefault(name, _Entry())

    def _record(self, entry: _Entry, run: Run) -> None:
        entry.runs[run.id] = run
        while len(entry.runs) > self._history:
            del entry.runs[next(iter(entry.runs))]
