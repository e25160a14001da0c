"""Locks in Redis, shared by all servers that use it: one key per name, changed by one script (``resource.lua``).

The script grants a lock to the next call in the queue and publishes that on the channel of the call's server. The
server confirms the lock by asking for it; only then is it final. The server also asks once a second, which keeps the
places of its calls in the queue (those of a crashed server are dropped after some seconds), and when the current lock
expires.
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

_LONGEST = 86400.0 * 365  # longest wait of a call in seconds: event loops accept no delay of centuries

log = Log("lock")


class RedisLocks:
    """Implements :class:`~pyroadrunner.plugins.lock.driver.LockDriver`.

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
        """List all locks. Scans all keys of Redis."""
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
        """Statistics of this server; held locks are unknown, since other servers hold locks too."""
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
        """Wait for the token; 0 after ``timeout``.

        Raises:
            StoreError: the time is over and Redis does not answer, so it is unknown whether the lock was granted.
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
        """Give up a place, and the lock if it was granted: the call was cancelled."""
        await asyncio.gather(first, return_exceptions=True)
        await self._cancel(name, place)

    async def _cancel(self, name: str, place: str) -> None:
        try:
            await self._script.run(name, "quit", place)
        except StoreError as error:
            log.debug(
                "a queued lock request could not be cancelled; it expires by itself", resource=name, error=str(error)
            )

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
    """The Redis pattern that matches all keys with a prefix."""
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in prefix) + "*"
