"""Locks in Redis, for all servers that use it: one key for a name, changed by one script (``resource.lua``).

Redis gives a lock to the next in the queue and says so on the channel of that one's server; the server asks whether it
is true, and only then the lock is sure. It asks once a second too, which keeps the places of its calls (those of a
server that died are dropped after some seconds), and when the lock before ends by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import uuid
from collections.abc import Coroutine, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from pyroadrunner.log import Log
from pyroadrunner.plugins.lock.driver import Figures, HolderView, LockView
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.channel import Channel
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig

_ASK_EVERY = 1.0  # seconds; a place in the queue is kept for five without
_SOONEST = 0.001  # seconds
_LONGEST = 86400.0 * 365  # seconds a call waits at most: event loops take no delay of centuries
_TOGETHER = 500  # calls one script is asked for; Lua takes only so many arguments

log = Log("lock")


class Wish(NamedTuple):
    """What a call waits for."""

    id: str
    read: bool
    ttl: int


class Place:
    """A call that waits.

    Attributes:
        leaving: its patience is over; it is not asked for any more, but what it was given it still gets.
    """

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.leaving = False
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Watch:
    """The calls of this server that wait for one name, and the task that asks for them.

    Attributes:
        error: why the last question had no answer.
    """

    def __init__(self, script: Script, name: str) -> None:
        self.places: dict[str, Place] = {}
        self.error: StoreError | None = None
        self._script = script
        self._name = name
        self._poke = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def poke(self) -> None:
        """Ask now."""
        self._poke.set()

    def watch(self, due: float) -> None:
        """Ask from now on, first in ``due`` seconds at the latest. Idempotent."""
        if self.task is None:
            self.task = asyncio.create_task(self._run(due), name=f"lock {self._name}")

    async def _run(self, pause: float) -> None:
        while self.places:
            try:
                async with asyncio.timeout(max(pause, _SOONEST)):
                    await self._poke.wait()
            except TimeoutError:
                pass
            self._poke.clear()
            try:
                pause = await self._ask()
                self.error = None
            except StoreError as error:
                self.error, pause = error, _ASK_EVERY
        self.task = None

    async def _ask(self) -> float:
        """Ask for all; seconds until the next time."""
        due = _ASK_EVERY
        waiting = iter(list(self.places))
        while some := list(itertools.islice(waiting, _TOGETHER)):
            asked = [(place, self.places[place]) for place in some if place in self.places]
            # Who has its lock may have lost it again by now: asked for once more it would be given a second one.
            there = {place: one.wish for place, one in asked if not (one.leaving or one.future.done())}
            if not there:
                continue
            due, tokens = await self._script.want(self._name, there, patient=True)
            for place, token in zip(there, tokens, strict=True):
                one = self.places.get(place)
                if token and one is not None and not one.future.done():
                    one.future.set_result(token)
        return due


class Script:
    """``resource.lua``, by its operations."""

    def __init__(self, redis: RedisClient, prefix: str, server: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._server = server
        self._text = files(__package__).joinpath("resource.lua").read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    async def want(self, name: str, places: Mapping[str, Wish], *, patient: bool) -> tuple[float, list[int]]:
        """Ask for each call's lock.

        Args:
            patient: those that can't have it now are to wait.

        Returns:
            Seconds after which to ask again, and the tokens; 0 = none yet.
        """
        wishes: list[str | int] = []
        for place, wish in places.items():
            wishes += (place, wish.id, "1" if wish.read else "0", wish.ttl)
        left, *tokens = await self.run(name, "want", self._server, "1" if patient else "0", *wishes)
        return (min(left / 1_000_000, _ASK_EVERY) if left else _ASK_EVERY), tokens

    async def run(self, name: str, operation: str, *arguments: str | int) -> Any:
        """One step on a name.

        Raises:
            StoreError: there is no answer; it may have been done.
        """
        rest = (1, f"{self._prefix}:{name}", operation, name, f"{self._prefix}:", *arguments)
        try:
            return await self._redis.one("EVALSHA", self._digest, *rest)
        except StoreError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self._redis.one("EVAL", self._text, *rest)


class RedisLocks:
    """Keeps the promises of :class:`~pyroadrunner.plugins.lock.driver.LockDriver`.

    Raises:
        StoreError: the settings can't be used.
    """

    def __init__(self, config: RedisConfig, prefix: str) -> None:
        self._redis = RedisClient(config)
        self._prefix = prefix
        self._server = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._script = Script(self._redis, prefix, self._server)
        self._channel = Channel(
            self._redis, f"{prefix}:{self._server}", heard=self._heard, joined=self._poke_all, log=log
        )
        self._watches: dict[str, Watch] = {}
        self._errands: set[asyncio.Task[Any]] = set()
        self._token = 0
        self._stopped = False

    def __repr__(self) -> str:
        return f"RedisLocks({self._redis})"

    async def lock(self, name: str, id: str, *, read: bool, ttl: int, wait: int) -> int:  # noqa: A002
        token: int
        place, wish = self._unique(), Wish(id, read, ttl)
        first = self._errand(self._script.want(name, {place: wish}, patient=wait > 0))
        try:
            due, (token,) = await asyncio.shield(first)
            if not token and wait and not self._stopped:
                token = await self._wait(name, place, wish, due, wait / 1_000_000)
        except (asyncio.CancelledError, StoreError):
            self._errand(self._give_back(name, place, first))
            raise
        self._token = max(token, self._token)
        return token

    async def release(self, name: str, id: str) -> bool:  # noqa: A002
        return bool(await self._script.run(name, "release", id, self._unique()))

    async def force_release(self, name: str) -> bool:
        return bool(await self._script.run(name, "force"))

    async def exists(self, name: str, id: str) -> bool:  # noqa: A002
        return bool(await self._script.run(name, "exists", id))

    async def update(self, name: str, id: str, ttl: int) -> bool:  # noqa: A002
        return bool(await self._script.run(name, "update", id, ttl))

    async def list(self) -> list[LockView]:
        """Looks at every key of Redis."""
        start = len(self._prefix) + 1
        views = []
        for key in sorted(await self._redis.keys(_pattern(f"{self._prefix}:"))):
            name = key.decode()[start:]
            exclusive, holders, waiting = await self._script.run(name, "view")
            if holders:
                found = [HolderView(id=holder.decode(), ttl=ttl, token=token) for holder, ttl, token in holders]
                queue = [waiter.decode() for waiter in waiting]
                views.append(LockView(resource=name, exclusive=bool(exclusive), holders=found, waiting=queue))
        return views

    def figures(self) -> Figures:
        """Of what other servers hold nothing is known here."""
        return Figures(held=None, waiting=sum(len(one.places) for one in self._watches.values()), token=self._token)

    async def stop(self) -> None:
        self._stopped = True
        for name, watch in self._watches.items():
            for key, place in watch.places.items():
                if not place.future.done():
                    place.future.set_result(0)
                    self._errand(self._quit(name, key))
        if self._errands:
            await asyncio.wait(self._errands, timeout=self._redis.settings.timeout)
        await self._channel.close()
        await self._redis.close()

    # inside

    async def _wait(self, name: str, place: str, wish: Wish, due: float, patience: float) -> int:
        """The token, or 0 when the patience is over.

        Raises:
            StoreError: it is over, and Redis does not answer: whoever has the lock, nobody knows.
        """
        self._channel.listen()
        watch = self._watches.setdefault(name, Watch(self._script, name))
        mine = watch.places[place] = Place(wish)
        watch.watch(due)
        try:
            await asyncio.wait([mine.future], timeout=min(patience, _LONGEST))
            if mine.future.done():
                return mine.future.result()
            mine.leaving = True
            if watch.error is not None:
                raise watch.error
            token: int = await self._script.run(name, "last", place)
            return mine.future.result() if mine.future.done() else token
        finally:
            del watch.places[place]
            if not watch.places:
                del self._watches[name]
                watch.poke()

    async def _give_back(self, name: str, place: str, first: asyncio.Task[Any]) -> None:
        """Nobody will be told what the place was given."""
        await asyncio.gather(first, return_exceptions=True)
        await self._quit(name, place)

    async def _quit(self, name: str, place: str) -> None:
        try:
            await self._script.run(name, "quit", place)
        except StoreError as error:
            log.debug("a place in the queue is not given up: it is dropped by itself", resource=name, error=str(error))

    def _errand(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    def _heard(self, name: bytes) -> None:
        watch = self._watches.get(name.decode())
        if watch is not None:
            watch.poke()

    def _poke_all(self) -> None:
        for watch in self._watches.values():
            watch.poke()

    def _unique(self) -> str:
        return f"{self._server}-{next(self._numbers)}"


def _pattern(prefix: str) -> str:
    """All keys with a prefix, in Redis' pattern language."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in prefix) + "*"
