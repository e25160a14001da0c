"""Decide whether and when a call to Redis is retried."""

from __future__ import annotations

import asyncio
import random

from pyroadrunner.remote.redis.settings import RedisSettings


class RetryPolicy:
    """The attempts of one call, which begins now.

    A lost connection is worth a retry. A timeout is not: the server has the command and may still execute it. A call
    that has lasted as long as the limit of a reply is not retried either.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._done = 0
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + settings.timeout

    async def wait_next(self) -> bool:
        """Wait until the next attempt is due; ``False`` = no further attempt."""
        pause = self._pause()
        if self._done == self._settings.retries or self._loop.time() + pause >= self._until:
            return False
        self._done += 1
        await asyncio.sleep(pause)
        return True

    def _pause(self) -> float:
        """Seconds to wait; longer with each attempt, and random, so that callers do not retry together."""
        shortest = self._settings.min_backoff
        return random.uniform(shortest, min(self._settings.max_backoff, shortest * 2**self._done))
