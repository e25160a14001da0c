"""Whether a call to Redis is tried again, and when."""

from __future__ import annotations

import asyncio
import random

from pyroadrunner.remote.redis.settings import RedisSettings


class RetryPolicy:
    """The tries of one call, which begins now.

    A connection that was lost is worth another try. A server that does not answer in time is not: it has the command,
    and does it when it goes on. Nor is a try begun when the call has lasted as long as an answer may take.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._done = 0
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + settings.timeout

    async def wait_next(self) -> bool:
        """Wait until the next try is due; ``False`` = there is none."""
        pause = self._pause()
        if self._done == self._settings.retries or self._loop.time() + pause >= self._until:
            return False
        self._done += 1
        await asyncio.sleep(pause)
        return True

    def _pause(self) -> float:
        """Seconds; longer with each try, and not the same for all who wait."""
        shortest = self._settings.min_backoff
        return random.uniform(shortest, min(self._settings.max_backoff, shortest * 2**self._done))
