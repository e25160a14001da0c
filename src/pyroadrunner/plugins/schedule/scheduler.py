"""Runs what is due.

Theory of operation: one task looks at the clock, at least once a second, since a clock may be set while it sleeps. For
each slot that has become due it starts a task: wait for the delay, ask the store until it decides, do the action, write
the record. Only a run that the store has begun is done, so without the store nothing runs; the run of a slot is given
up when it is ``LATEST_START`` late, unless missed runs are to be caught up.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from pyroadrunner.contracts import Log, RoadRunnerError, Span, Tracing
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.plugins.schedule.entry import Entry
from pyroadrunner.plugins.schedule.errors import NoSuchEntry, Stopping
from pyroadrunner.plugins.schedule.plan import LATEST_START, Plan
from pyroadrunner.plugins.schedule.run import RENEW, Run, Trigger, skipped
from pyroadrunner.plugins.schedule.store import Answer, Overlap, Store, StoreFailed

T = TypeVar("T")

_LONGEST_SLEEP = 1.0  # seconds
_RETRY = 1.0  # seconds between two questions to the store
_MOST_WAITING = 100  # runs of one entry in the queue of this server; more are skipped
_LONGEST_DETAIL = 1000  # characters
_END = 5.0  # seconds of a stop for cancelled runs to end

log = Log("schedule")


def system_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Scheduler:
    """All entries of one server.

    Attributes:
        store_lost: why the store did not answer last time; empty = it did.

    Args:
        clock: the wall clock, in milliseconds since the epoch; it may jump.
    """

    def __init__(self, store: Store, tracing: Sequence[Tracing] = (), clock: Callable[[], int] = system_clock) -> None:
        self.store_lost = ""
        self._store = store
        self._tracing = tracing
        self._clock = clock
        self._server = f"{socket.gethostname()}:{os.getpid()}"
        self._entries: dict[str, Entry] = {}
        self._tasks: dict[asyncio.Task[Any], bool] = {}  # whether it has claimed its slot, or is about to
        self._changed = asyncio.Event()  # wakes the loop
        self._ended = asyncio.Event()  # a run of this server has ended
        self._stopping = False

    def __repr__(self) -> str:
        return f"Scheduler({list(self._entries.values())})"

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def find(self, name: str) -> Entry:
        """The entry with this name; keys of a config are lower-case.

        Raises:
            NoSuchEntry
        """
        found = self._entries.get(name) or self._entries.get(name.lower())
        if found is None:
            raise NoSuchEntry(name, list(self._entries))
        return found

    def now(self) -> int:
        return self._clock()

    def next_runs(self, entry: Entry, most: int) -> list[int]:
        """The times of its next runs, delays included."""
        slots = islice(entry.timetable.slots(self._clock()), most)
        return [entry.due(slot, self._store.salt) for slot in slots]

    async def history(self, entry: Entry, most: int) -> list[Run]:
        """Its last runs, newest first.

        Raises:
            StoreFailed
        """
        now = self._clock()
        return [run.seen(now) for run in await self._store.history(entry.name, most)]

    # -- lifecycle -----------------------------------------------------------------------------------------------------

    def become(self, entries: Mapping[str, Entry]) -> None:
        """Replace the entries. Those that are the same objects keep their plans; the others begin now."""
        self._entries = dict(entries)
        self._changed.set()

    async def run(self) -> None:
        """Run what is due until :meth:`close_intake`."""
        last = await self._last_slots()
        now = self._clock()
        for entry in self:
            entry.known = min(last.get(entry.name, now), now)  # a claim in the future comes from a wrong clock
        while not self._stopping:
            self._changed.clear()
            self._look()
            try:
                async with asyncio.timeout(self._sleep()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def close_intake(self) -> None:
        """Begin no more runs by the timetable. Runs that have not begun are given up; another server may do them."""
        self._stopping = True
        self._changed.set()
        for task, claims in self._tasks.items():
            if not claims:
                task.cancel()

    async def stop(self, grace: float) -> None:
        """Wait for the running actions, then cancel them; return within ``grace`` seconds."""
        self.close_intake()
        end = min(_END, grace / 4)
        for step in (grace - end, end, 0.5):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=step)
            for task in self._tasks:
                task.cancel()
        await self._store.stop()

    async def run_now(self, entry: Entry) -> Run:
        """Run an entry now, whatever its timetable; return the record when it has ended.

        Raises:
            Stopping
            StoreFailed
        """
        if self._stopping:
            raise Stopping
        run = self._new(entry, self._clock(), "manual")
        task = self._start(self._execute(entry, run))
        await asyncio.wait([task])  # it goes on if the caller leaves
        if task.cancelled():
            raise Stopping
        ended = task.result()
        if ended is None:
            raise Stopping
        return ended

    # -- planning ------------------------------------------------------------------------------------------------------

    async def _last_slots(self) -> Mapping[str, int]:
        while not self._stopping:
            try:
                last = await self._store.last_slots([entry.name for entry in self], self._clock())
                self._answered()
                return last
            except StoreFailed as error:
                self._lost(error)
                await asyncio.sleep(_RETRY)
        return {}

    def _look(self) -> None:
        now = self._clock()
        for entry in self:
            try:
                self._look_at(entry, now)
            except Exception as bug:  # such as an overflow of dates; the others go on
                log.error("entry can't be planned; it does not run until a reload", entry=entry.name, error=repr(bug))
                del self._entries[entry.name]

    def _look_at(self, entry: Entry, now: int) -> None:
        if entry.plan is None:
            entry.plan = Plan(entry.timetable, entry.config.catch_up, now if entry.known is None else entry.known)
        due = entry.plan.look(now)
        if due.dropped:
            entry.figures.missed += due.dropped
            log.warning("missed runs are skipped", entry=entry.name, runs=due.dropped)
        if due.caught_up:
            log.warning("missed runs are caught up", entry=entry.name, runs=len(due.caught_up))
        for slot in due.caught_up:
            self._start(self._execute(entry, self._new(entry, slot, "catch_up")))
        for slot in due.slots:
            self._start(self._execute(entry, self._new(entry, slot, "schedule"), delayed=True))

    def _sleep(self) -> float:
        next_slots = [entry.plan.next for entry in self if entry.plan is not None and entry.plan.next is not None]
        if not next_slots:
            return _LONGEST_SLEEP
        return min(max(0.0, (min(next_slots) - self._clock()) / 1000), _LONGEST_SLEEP)

    def _new(self, entry: Entry, slot: int, trigger: Trigger) -> Run:
        return Run(id=str(uuid.uuid4()), entry=entry.name, slot=slot, trigger=trigger, server=self._server)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks[task] = False
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled() and task.exception() is not None and not isinstance(task.exception(), StoreFailed):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a run of the schedule failed unexpectedly", "exception": task.exception(), "task": task}
            )

    # -- one run -------------------------------------------------------------------------------------------------------

    async def _execute(self, entry: Entry, run: Run, *, delayed: bool = False) -> Run | None:
        """Do a run; ``None`` if another server does it, or it is too late."""
        if delayed:
            await asyncio.sleep(max(0, entry.due(run.slot, self._store.salt) - max(run.slot, self._clock())) / 1000)
        if entry.config.overlap == "allow" or (entry.config.overlap == "skip" and run.trigger != "catch_up"):
            return await self._begin_and_do(entry, run, entry.config.overlap)
        if entry.waiting >= _MOST_WAITING and run.trigger != "catch_up":
            return await self._begin_and_do(entry, run, "skip")
        entry.waiting += 1
        try:
            await entry.turn.acquire()
        finally:
            entry.waiting -= 1
        try:
            return await self._begin_and_do(entry, run, "queue")
        finally:
            entry.turn.release()

    async def _begin_and_do(self, entry: Entry, run: Run, overlap: Overlap) -> Run | None:
        task = asyncio.current_task()
        assert task is not None
        asked = self._clock()
        while run.trigger == "manual" or self._entries.get(entry.name) is entry:  # else changed by a reload
            now = self._clock()
            run = replace(run, began=now, alive=now)
            self._tasks[task] = True  # a stop must not cancel it now: the slot could be claimed and never run
            try:
                answer = await self._store.begin(run, overlap)
                self._answered()
            except StoreFailed as error:
                self._lost(error)
                if run.trigger == "manual":
                    raise
                if entry.config.catch_up == "skip" and now - asked > LATEST_START:
                    entry.figures.missed += 1
                    log.error("run was given up", entry=entry.name, error=str(error))
                    return None
                answer = None
            if answer is Answer.TAKEN:
                return None
            if answer is Answer.SKIPPED:
                run = skipped(run)
                entry.figures.count(run)
                log.warning("run was skipped", entry=entry.name, reason=run.detail)
                return run
            if answer is Answer.RUN:
                return await self._do(entry, run)
            if self._stopping:
                return None
            self._tasks[task] = False
            self._ended.clear()
            try:
                async with asyncio.timeout(_RETRY):
                    await self._ended.wait()
            except TimeoutError:  # the store is away, or the other run is in another server
                pass
        return None

    async def _do(self, entry: Entry, run: Run) -> Run:
        entry.running[run.id] = run
        log.debug("run has begun", entry=entry.name, id=run.id)
        renewing = asyncio.create_task(self._renew(run))
        cancelled = False
        try:
            outcome, detail = "ok", await self._act(entry, run)
        except RoadRunnerError as error:
            outcome, detail = "failed", str(error)
        except asyncio.CancelledError:
            outcome, detail, cancelled = "failed", "the server stopped", True
        except Exception as bug:  # of an action: the record is written, and the schedule goes on
            outcome, detail = "failed", f"{type(bug).__name__}: {bug}"
        finally:
            renewing.cancel()
            del entry.running[run.id]
        detail = detail if len(detail) <= _LONGEST_DETAIL else f"{detail[:_LONGEST_DETAIL]}..."
        run = replace(run, outcome=outcome, detail=detail, ended=max(run.began, self._clock()))
        entry.figures.count(run)
        fields = {"entry": entry.name, "id": run.id, "elapsed": (run.ended - run.began) / 1000}
        if outcome == "ok":
            log.info("run has ended", **fields, result=detail)
        else:
            log.error("run has failed", **fields, error=detail)
        await self._finish(run)
        self._ended.set()
        if cancelled:
            raise asyncio.CancelledError
        return run

    async def _act(self, entry: Entry, run: Run) -> str:
        span = self._begin_span(entry, run)
        occasion = Occasion(
            id=run.id,
            entry=entry.name,
            time=datetime.fromtimestamp(run.slot / 1000, UTC).isoformat(timespec="seconds"),
            trace=span.headers() if span is not None else (),
        )
        try:
            return await _within(entry.config.timeout, entry.action.run(occasion))
        except BaseException as error:
            if span is not None:
                span.fail(str(error))
            raise
        finally:
            if span is not None:
                span.end()

    def _begin_span(self, entry: Entry, run: Run) -> Span | None:
        for tracing in self._tracing:
            attributes = {"schedule.entry": entry.name, "schedule.run": run.id, "schedule.trigger": run.trigger}
            return tracing.begin_trace(f"schedule {entry.name}", (), attributes)
        return None

    async def _renew(self, run: Run) -> None:
        while True:
            await asyncio.sleep(RENEW)
            try:
                await self._store.renew(replace(run, alive=self._clock()))
                self._answered()
            except StoreFailed as error:
                self._lost(error)

    async def _finish(self, run: Run) -> None:
        """Write the record, however long the store is away; a stop tries once."""
        while True:
            try:
                await self._store.finish(run)
                self._answered()
                return
            except StoreFailed as error:
                self._lost(error)
                if self._stopping:
                    return
            await asyncio.sleep(_RETRY)

    def _answered(self) -> None:
        if self.store_lost:
            log.info("the store is back", store=repr(self._store))
            self.store_lost = ""

    def _lost(self, error: StoreFailed) -> None:
        if not self.store_lost:
            log.error("the store does not answer; nothing runs until it does", error=str(error))
        self.store_lost = str(error)


async def _within(seconds: float, action: Awaitable[str]) -> str:
    """Await an action; cancel it after ``seconds`` (0 = never).

    Raises:
        ActionFailed: it took too long.
    """
    limit = asyncio.timeout(seconds or None)
    try:
        async with limit:
            return await action
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise ActionFailed(f"took longer than {seconds:g} s") from error
