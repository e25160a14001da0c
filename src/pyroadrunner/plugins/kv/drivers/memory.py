"""A storage in the memory of the server; its content is lost when the server exits. Returns plain values, not
awaitables.

An item without a time is stored as its bytes only; one with a time takes two more words and is in the wheel of
``expiry_wheel.py``. Reads compare times to the millisecond, so expired items are never visible. Their memory is freed
within a second or two, ``SLICE`` items at a time with pauses, so that a million simultaneous expiries do not block the
loop. Items removed by :meth:`MemoryStore.clear` are freed the same way.

With a limit, reading or writing an item makes it the most recently used, and the least recently used is evicted.
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

SLICE = 1000  # items freed at once: about a millisecond
PAUSE = 0.004  # seconds between two slices
TICK = 1.0  # seconds between two sweeps

log = Log("kv")


class TimedValue(msgspec.Struct, gc=False):
    """A value with a time: 32 bytes, where a tuple takes 72 and is tracked by the garbage collector."""

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
        self._size = 0  # bytes of keys and values; maintained only with a limit
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
        """All existing keys, with or without a time, as in RoadRunner."""
        now = self._now()
        found: dict[str, int | None] = {}
        for key in keys:
            entry = self._unexpired(key, now)
            if entry is not None:
                found[key] = entry.expires if isinstance(entry, TimedValue) else None
        return found

    def set(self, items: Sequence[Item]) -> None:
        """Store items. A time in the past counts as no time, as in RoadRunner (plugins/memory, driver.go)."""
        now = self._now()
        for key, value, expires in items:
            if expires is not None and expires <= now:
                log.warning("the expiry time of an item is in the past; it is stored without one", key=key)
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
        # A plain dict is smaller, but repeatedly finding its oldest item is slow.
        return OrderedDict() if self._bounded else {}

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _unexpired(self, key: str, now: int) -> bytes | TimedValue | None:
        """The entry of a key if it has not expired; marks it as used."""
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
        """Account for a new item and evict the least recently used ones. Afterwards ``key`` is the most recently used.

        Raises:
            StoreError: the item is larger than the limit.
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
        """Schedule a sweep, unless one is scheduled already."""
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
        """Free up to ``limit`` expired or cleared items; return how many were freed."""
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
