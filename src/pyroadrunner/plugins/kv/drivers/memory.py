"""A storage in the memory of the server, gone when it ends. Answers at once.

An item without a time is its bytes and nothing else; one with a time is two words more and stands in the wheel of
``wheel.py``. A read compares times to the millisecond, so an expired item is never seen; the memory it takes is freed
within a second or two, ``SLICE`` items at a time with pauses between, so that a million that expire together hold up
nobody. What :meth:`MemoryStore.clear` removes is let go of in the same manner.

With a limit, reading and writing an item makes it the last to go, and the first one goes to make room.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.config import MemoryConfig
from pyroadrunner.plugins.kv.expiry_wheel import ExpiryWheel
from pyroadrunner.plugins.kv.store import Item, StoreStats, counted
from pyroadrunner.remote.errors import StoreError

SLICE = 1000  # items freed in one go: about a millisecond
PAUSE = 0.004  # seconds between two slices
TICK = 1.0  # seconds between two looks

log = Log("kv")


class TimedValue(msgspec.Struct, gc=False):
    """A value with a time: 32 bytes, where a tuple takes 72 and is looked at by the garbage collector."""

    value: bytes
    expires: int


Entries = dict[str, bytes | TimedValue]


class MemoryStore:
    """A storage in memory.

    Args:
        clock: unix time in seconds.
    """

    operations = "in_memory_plugin"

    def __init__(self, config: MemoryConfig, clock: Callable[[], float] = time.time) -> None:
        self._max_items = config.max_items or float("inf")
        self._max_bytes = config.max_bytes or float("inf")
        self._bounded = bool(config.max_items or config.max_bytes)
        self._clock = clock
        self._entries: Entries = self._none()
        self._size = 0  # bytes of keys and values; kept only where there is a limit
        self._wheel = ExpiryWheel()
        self._stale: list[Entries] = []
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._entries)} items)"

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def has(self, keys: Sequence[str]) -> list[str]:
        now = self._now()
        return [key for key in keys if self._unexpired(key, now) is not None]

    def mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        now = self._now()
        found: dict[str, bytes] = {}
        for key in keys:
            entry = self._unexpired(key, now)
            if entry is not None:
                found[key] = entry if type(entry) is bytes else entry.value  # type: ignore[union-attr]
        return found

    def ttl(self, keys: Sequence[str]) -> dict[str, int | None]:
        """Every key that is there, as in RoadRunner, with or without a time."""
        now = self._now()
        found: dict[str, int | None] = {}
        for key in keys:
            entry = self._unexpired(key, now)
            if entry is not None:
                found[key] = entry.expires if isinstance(entry, TimedValue) else None
        return found

    def set(self, items: Sequence[Item]) -> None:
        """A time that has passed counts for none, as in RoadRunner (plugins/memory, driver.go)."""
        now = self._now()
        for key, value, expires in items:
            if expires is not None and expires <= now:
                log.warning("the time of an item has passed; it is stored without one", key=key)
                expires = None
            self._put(key, value if expires is None else TimedValue(value, expires))

    def set_absent(self, items: Sequence[Item]) -> list[str]:
        now = self._now()
        stored = []
        for item in items:
            if self._unexpired(item.key, now) is None:
                self.set((item,))
                stored.append(item.key)
        return stored

    def mexpire(self, times: Mapping[str, int]) -> None:
        now = self._now()
        for key, expires in times.items():
            entry = self._unexpired(key, now)
            if entry is None:
                continue
            if expires <= now:
                self._drop(key)
            else:
                self._put(key, TimedValue(entry.value if isinstance(entry, TimedValue) else entry, expires))

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            if key in self._entries:
                self._drop(key)

    def clear(self) -> None:
        self._stale.append(self._entries)
        self._entries = self._none()
        self._wheel = ExpiryWheel()
        self._size = 0
        self._schedule_sweep(PAUSE)

    def count(self, key: str, by: int, expires: int | None) -> int:
        entry = self._unexpired(key, self._now())
        if entry is None:
            self.set((Item(key, b"%d" % by, expires),))
            return by
        value = entry.value if isinstance(entry, TimedValue) else entry
        result = counted(value, by)
        digits = b"%d" % result
        self._put(key, TimedValue(digits, entry.expires) if isinstance(entry, TimedValue) else digits)
        return result

    def stats(self) -> StoreStats:
        return StoreStats(items=len(self._entries))

    # inside

    def _none(self) -> Entries:
        # A plain dict is smaller, but finding its oldest item again and again is slow.
        return OrderedDict() if self._bounded else {}

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _unexpired(self, key: str, now: int) -> bytes | TimedValue | None:
        """What stands under a key and has not expired; it was used now."""
        entry = self._entries.get(key)
        if type(entry) is TimedValue and entry.expires <= now:
            self._drop(key)
            return None
        if self._bounded and entry is not None:
            self._entries.move_to_end(key)  # type: ignore[attr-defined]
        return entry

    def _put(self, key: str, entry: bytes | TimedValue) -> None:
        if self._bounded:
            self._evict(key, entry)
        old = self._entries.get(key)
        was = old.expires if type(old) is TimedValue else None
        self._entries[key] = entry
        if type(entry) is TimedValue:
            if was is None:
                self._wheel.add(key, entry.expires)
                self._schedule_sweep(TICK)
            else:
                self._wheel.move(key, was, entry.expires)
        elif was is not None:
            self._wheel.remove(key, was)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key)
        if self._bounded:
            self._size -= _size(key, entry)
        if type(entry) is TimedValue:
            self._wheel.remove(key, entry.expires)

    def _evict(self, key: str, entry: bytes | TimedValue) -> None:
        """Count what comes in, let the least recently used go. Afterwards ``key`` is the last to go.

        Raises:
            StoreError: no room could be made.
        """
        size = _size(key, entry)
        if size > self._max_bytes:
            raise StoreError(f"an item of {size} bytes is more than max_bytes ({self._max_bytes}) allows")
        entries = self._entries
        old = entries.get(key)
        if old is not None:
            self._size -= _size(key, old)
            entries.move_to_end(key)  # type: ignore[attr-defined]
        self._size += size
        least = len(entries) - (old is not None) + 1
        while least > self._max_items or self._size > self._max_bytes:
            self._drop(next(iter(entries)))
            least -= 1

    # freeing memory

    def _schedule_sweep(self, delay: float) -> None:
        """Come back for what can be freed, unless that is to happen anyway."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        freed = self.sweep(SLICE)
        if freed == SLICE or self._stale:
            self._schedule_sweep(PAUSE)
        elif self._wheel:
            self._schedule_sweep(TICK)

    def sweep(self, limit: int) -> int:
        """Free up to ``limit`` expired or cleared items; how many it were."""
        keys = self._wheel.take(self._now(), limit)
        for key in keys:
            entry = self._entries.pop(key)
            if self._bounded:
                self._size -= _size(key, entry)
        freed = len(keys)
        while self._stale and freed < limit:
            waste = self._stale[-1]
            if waste:
                waste.popitem()
                freed += 1
            else:
                self._stale.pop()
        return freed


def _size(key: str, entry: bytes | TimedValue) -> int:
    value = entry.value if isinstance(entry, TimedValue) else entry
    return (len(key) if key.isascii() else len(key.encode())) + len(value)


def build(config: MemoryConfig) -> MemoryStore:
    return MemoryStore(config)
