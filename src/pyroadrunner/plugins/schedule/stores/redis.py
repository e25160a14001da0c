"""Claims and history in Redis, shared by all servers that use it. ``redis.lua`` is each operation in one step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from pyroadrunner.plugins.schedule.run import LEASE, Run, decode, encode, skipped
from pyroadrunner.plugins.schedule.store import KEPT, Answer, Overlap, StoreFailed
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig


class RedisStore:
    """Implements :class:`~pyroadrunner.plugins.schedule.store.Store`.

    The keys of an entry have the same hash tag, so they are on one node of a cluster. Whether a run is still running
    is decided by the clock of Redis.

    Raises:
        StoreError: the settings can't be used.
        ModuleNotFoundError: the package ``redis`` is not installed.
    """

    def __init__(self, config: RedisConfig, prefix: str, history: int) -> None:
        self.salt = prefix
        self._redis = RedisClient(config)
        self._prefix = prefix
        self._history = history
        self._text = files(__package__).joinpath("redis.lua").read_bytes()
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest()

    def __repr__(self) -> str:
        return f"RedisStore({self._redis})"

    async def start(self) -> None:
        pass

    async def last_slots(self, entries: Sequence[str], now: int) -> Mapping[str, int]:
        keys = [self._key(name, "last") for name in entries]
        try:
            await self._redis.execute_many([("SET", key, now, "NX") for key in keys])
            found = await self._redis.execute_many([("GET", key) for key in keys])
        except StoreError as error:
            raise StoreFailed(str(error)) from error
        return {name: now if slot is None else int(slot) for name, slot in zip(entries, found, strict=True)}

    async def begin(self, run: Run, overlap: Overlap) -> Answer:
        slot = "" if run.trigger == "manual" else run.slot
        answer = await self._run("begin", run.entry, run, slot, overlap, encode(skipped(run)), KEPT)
        return Answer(answer.decode())

    async def renew(self, run: Run) -> None:
        await self._run("renew", run.entry, run)

    async def finish(self, run: Run) -> None:
        await self._run("finish", run.entry, run)

    async def history(self, entry: str, most: int) -> Sequence[Run]:
        return [decode(record) for record in await self._call(entry, "history", most)]

    async def stop(self) -> None:
        await self._redis.close()

    # inside

    async def _run(self, operation: str, entry: str, run: Run, *more: str | bytes | int) -> Any:
        return await self._call(entry, operation, run.id, encode(run), self._history, LEASE, *more)

    async def _call(self, entry: str, operation: str, *arguments: str | bytes | int) -> Any:
        names = ("last", "running", "records", "order", "at:")
        rest = (len(names), *(self._key(entry, name) for name in names), operation, *arguments)
        try:
            try:
                return await self._redis.execute("EVALSHA", self._digest, *rest)
            except StoreError as error:
                if not str(error).startswith("NOSCRIPT"):
                    raise
            return await self._redis.execute("EVAL", self._text, *rest)
        except StoreError as error:
            raise StoreFailed(str(error)) from error

    def _key(self, entry: str, name: str) -> str:
        return f"{self._prefix}:{{{entry}}}:{name}"
