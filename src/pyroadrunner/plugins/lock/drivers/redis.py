"""Locks in Redis, for all servers that use it: one key for a name, changed by one script (``resource.lua``).

Redis gives a lock to the next in the queue and says so on the channel of that one's server; the server asks whether it
is true, and only then the lock is sure. It asks once a second too, which keeps the places of its calls (those of a
server that died are dropped after some seconds), and when the lock before ends by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Coroutine
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.plugins.lock.driver import HolderView, LockStats, LockView
from pyroadrunner.plugins.lock.drivers.redis_script import LockRequest, Script
from pyroadrunner.plugins.lock.drivers.redis_waiters import PendingLock, Waiters
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.pubsub import Subscription

_LONGEST = 86400.0 * 365  # seconds a call waits at most: event loops take no delay of centuries

log = Log("lock")


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
        self._channel = Subscription(
            self._redis, f"{prefix}:{self._server}", on_message=self._on_message, on_subscribed=self._wake_all, log=log
        )
        self._waiters: dict[str, Waiters] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._token = 0
        self._stopped = False

    def __repr__(self) -> str:
        return f"RedisLocks({self._redis})"

    async def lock(self, name: str, id: str, *, read: bool, ttl: int, wait: int) -> int:  # noqa: A002
        token: int
        place, request = self._unique(), LockRequest(id, read, ttl)
        first = self._in_background(self._script.want(name, {place: request}, patient=wait > 0))
        try:
            due, (token,) = await asyncio.shield(first)
            if not token and wait and not self._stopped:
                token = await self._wait(name, place, request, due, wait / 1_000_000)
        except (asyncio.CancelledError, StoreError):
            self._in_background(self._give_back(name, place, first))
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

    def stats(self) -> LockStats:
        """Of what other servers hold nothing is known here."""
        return LockStats(held=None, waiting=sum(len(one.places) for one in self._waiters.values()), token=self._token)

    async def stop(self) -> None:
        self._stopped = True
        for name, watch in self._waiters.items():
            for key, place in watch.places.items():
                if not place.future.done():
                    place.future.set_result(0)
                    self._in_background(self._cancel(name, key))
        if self._background:
            await asyncio.wait(self._background, timeout=self._redis.settings.timeout)
        await self._channel.close()
        await self._redis.close()

    # inside

    async def _wait(self, name: str, place: str, request: LockRequest, due: float, timeout: float) -> int:
        """The token, or 0 when the patience is over.

        Raises:
            StoreError: it is over, and Redis does not answer: whoever has the lock, nobody knows.
        """
        self._channel.listen()
        watch = self._waiters.setdefault(name, Waiters(self._script, name))
        mine = watch.places[place] = PendingLock(request)
        watch.watch(due)
        try:
            await asyncio.wait([mine.future], timeout=min(timeout, _LONGEST))
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
                del self._waiters[name]
                watch.wake()

    async def _give_back(self, name: str, place: str, first: asyncio.Task[Any]) -> None:
        """Nobody will be told what the place was given."""
        await asyncio.gather(first, return_exceptions=True)
        await self._cancel(name, place)

    async def _cancel(self, name: str, place: str) -> None:
        try:
            await self._script.run(name, "quit", place)
        except StoreError as error:
            log.debug("a place in the queue is not given up: it is dropped by itself", resource=name, error=str(error))

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _on_message(self, name: bytes) -> None:
        watch = self._waiters.get(name.decode())
        if watch is not None:
            watch.wake()

    def _wake_all(self) -> None:
        for watch in self._waiters.values():
            watch.wake()

    def _unique(self) -> str:
        return f"{self._server}-{next(self._numbers)}"


def _pattern(prefix: str) -> str:
    """All keys with a prefix, in Redis' pattern language."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in prefix) + "*"
