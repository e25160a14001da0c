"""Scripts that run in Redis."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient


class Script:
    """A file of this package. Redis gets its text once, then only its digest."""

    def __init__(self, redis: RedisClient, name: str) -> None:
        self._redis = redis
        self._name = name
        self._text = files(__package__).joinpath(name).read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    def __repr__(self) -> str:
        return f"Script({self._name})"

    async def run(self, keys: tuple[str, ...], *arguments: str | bytes | int) -> Any:
        """Run it; the keys are in one slot.

        Raises:
            StoreError: it failed, or Redis is away.
        """
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._redis.execute("EVALSHA", self._digest, *rest)
        except StoreError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return await self._redis.execute("EVAL", self._text, *rest)
