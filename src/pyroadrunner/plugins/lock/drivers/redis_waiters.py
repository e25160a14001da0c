"""The calls of this server that wait for one name, and the task that asks Redis for them."""

from __future__ import annotations

import asyncio
import itertools

from pyroadrunner.plugins.lock.drivers.redis_script import ASK_EVERY, LockRequest, Script
from pyroadrunner.remote.errors import StoreError

_MIN_PAUSE = 0.001  # seconds
_BATCH = 500  # calls one script is asked for; Lua takes only so many arguments


class PendingLock:
    """A call that waits.

    Attributes:
        leaving: its patience is over; it is not asked for any more, but what it was given it still gets.
    """

    def __init__(self, request: LockRequest) -> None:
        self.request = request
        self.leaving = False
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Waiters:
    """Asks when it is poked, when a lock ends, and once a second.

    Attributes:
        error: why the last question had no answer.
    """

    def __init__(self, script: Script, name: str) -> None:
        self.places: dict[str, PendingLock] = {}
        self.error: StoreError | None = None
        self._script = script
        self._name = name
        self._wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Ask now."""
        self._wake.set()

    def watch(self, due: float) -> None:
        """Ask from now on, first in ``due`` seconds at the latest. Idempotent."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(due), name=f"lock {self._name}")

    async def _run(self, pause: float) -> None:
        while self.places:
            try:
                async with asyncio.timeout(max(pause, _MIN_PAUSE)):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                pause = await self._ask()
                self.error = None
            except StoreError as error:
                self.error, pause = error, ASK_EVERY
        self.task = None

    async def _ask(self) -> float:
        """Ask for all; seconds until the next time."""
        due = ASK_EVERY
        waiting = iter(list(self.places))
        while some := list(itertools.islice(waiting, _BATCH)):
            asked = [(place, self.places[place]) for place in some if place in self.places]
            # Who has its lock may have lost it again by now: asked for once more it would be given a second one.
            there = {place: one.request for place, one in asked if not (one.leaving or one.future.done())}
            if not there:
                continue
            due, tokens = await self._script.want(self._name, there, patient=True)
            for place, token in zip(there, tokens, strict=True):
                one = self.places.get(place)
                if token and one is not None and not one.future.done():
                    one.future.set_result(token)
        return due
