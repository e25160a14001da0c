"""The calls of this server that wait for one name, and the task that asks Redis for their locks."""

from __future__ import annotations

import asyncio
import itertools

from pyroadrunner.plugins.lock.drivers.redis_script import ASK_EVERY, LockRequest, Script
from pyroadrunner.remote.errors import StoreError

_MIN_PAUSE = 0.001  # seconds
_BATCH = 500  # calls per script run; Lua limits the number of arguments


class PendingLock:
    """A waiting call.

    Attributes:
        leaving: its time is over; the task no longer asks for it, but a lock granted already still counts.
    """

    def __init__(self, request: LockRequest) -> None:
        self.request = request
        self.leaving = False
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Waiters:
    """Asks after a wake-up, when a lock expires, and once a second.

    Attributes:
        error: the error of the last attempt.
    """

    def __init__(self, script: Script, name: str) -> None:
        self.places: dict[str, PendingLock] = {}
        self.error: StoreError | None = None
        self._script = script
        self._name = name
        self._wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Ask immediately."""
        self._wake.set()

    def watch(self, due: float) -> None:
        """Start asking, the first time within ``due`` seconds. Idempotent."""
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
        """Ask for all calls; return the seconds until the next time."""
        due = ASK_EVERY
        waiting = iter(list(self.places))
        while some := list(itertools.islice(waiting, _BATCH)):
            asked = [(place, self.places[place]) for place in some if place in self.places]
            # A call that has its token may have lost the lock again: asking once more would grant a second one.
            there = {place: one.request for place, one in asked if not (one.leaving or one.future.done())}
            if not there:
                continue
            due, tokens = await self._script.want(self._name, there, patient=True)
            for place, token in zip(there, tokens, strict=True):
                one = self.places.get(place)
                if token and one is not None and not one.future.done():
                    one.future.set_result(token)
        return due
