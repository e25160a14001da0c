"""Calls the operations of ``resource.lua``, the script that changes the locks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient

ASK_EVERY = 1.0  # seconds; without asking, a place in the queue is kept for five


class LockRequest(NamedTuple):
    """The lock that a call waits for."""

    id: str
    read: bool
    ttl: int


class Script:
    """Runs the script.

    Args:
        prefix: prefix of keys and channels.
        server: suffix of this server's channel.
    """

    def __init__(self, redis: RedisClient, prefix: str, server: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._server = server
        self._text = files(__package__).joinpath("resource.lua").read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    async def want(self, name: str, places: Mapping[str, LockRequest], *, patient: bool) -> tuple[float, list[int]]:
        """Ask for the lock of each call.

        Args:
            patient: whether calls whose lock is not available join the queue.

        Returns:
            Seconds after which to ask again, and the tokens; 0 = not granted yet.
        """
        wishes: list[str | int] = []
        for place, request in places.items():
            wishes += (place, request.id, "1" if request.read else "0", request.ttl)
        left, *tokens = await self.run(name, "want", self._server, "1" if patient else "0", *wishes)
        return (min(left / 1_000_000, ASK_EVERY) if left else ASK_EVERY), tokens

    async def run(self, name: str, operation: str, *arguments: str | int) -> Any:
        """Run one operation on a name.

        Raises:
            StoreError: no reply; the operation may have been done.
        """
        rest = (1, f"{self._prefix}:{name}", operation, name, f"{self._prefix}:", *arguments)
        try:
            return await self._redis.execute("EVALSHA", self._digest, *rest)
        except StoreError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self._redis.execute("EVAL", self._text, *rest)
