"""The memory driver with a fake clock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.plugins.kv.config import MemoryConfig
from pyroadrunner.plugins.kv.drivers.memory import SLICE, MemoryStore, TimedValue
from pyroadrunner.plugins.kv.store import Item
from pyroadrunner.remote.errors import StoreError

NOW = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.ms = int(NOW * 1000)

    def __call__(self) -> float:
        return self.ms / 1000


def within(check: Callable[[MemoryStore, Clock], None], **config: int) -> None:
    """Run ``check`` with a store in a loop, which its timer needs."""

    async def main() -> None:
        clock = Clock()
        store = MemoryStore(MemoryConfig(**config), clock)
        try:
            check(store, clock)
        finally:
            await store.stop()

    asyncio.run(main())


def put(store: MemoryStore, key: str, value: bytes = b"v", expires: int | None = None) -> None:
    store.set([Item(key, value, expires)])


def test_an_item_expires_in_the_millisecond_of_its_time() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        put(store, "k", expires=clock.ms + 500)
        clock.ms += 499
        assert store.has(["k"]) == ["k"]
        assert store.ttl(["k"]) == {"k": clock.ms + 1}
        clock.ms += 1
        assert store.has(["k"]) == []
        assert store.mget(["k"]) == {}
        assert store.ttl(["k"]) == {}

    within(check)


def test_setting_without_a_time_clears_the_time() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        put(store, "k", expires=clock.ms + 500)
        put(store, "k", b"forever")
        clock.ms += 10_000
        assert store.sweep(10) == 0
        assert store.mget(["k"]) == {"k": b"forever"}
        assert store.ttl(["k"]) == {"k": None}

    within(check)


def test_expired_items_are_freed_by_slices() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        for number in range(250):
            put(store, str(number), expires=clock.ms + 10)
        clock.ms += 2000
        assert [store.sweep(100) for _ in range(4)] == [100, 100, 50, 0]
        assert store.stats().items == 0

    within(check)


def test_cleared_items_disappear_immediately_and_are_freed_by_slices() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        for number in range(150):
            put(store, str(number), expires=clock.ms + 10)
        store.clear()
        assert store.stats().items == 0
        put(store, "1", b"new", clock.ms + 5000)
        assert [store.sweep(100) for _ in range(3)] == [100, 50, 0]
        clock.ms += 2000
        assert store.sweep(100) == 0
        assert store.mget(["1"]) == {"1": b"new"}

    within(check)


def test_the_timer_frees_unread_items() -> None:
    async def main() -> None:
        clock = Clock()
        store = MemoryStore(MemoryConfig(), clock)
        for number in range(SLICE * 2 + 1):
            put(store, str(number), expires=clock.ms + 1)
        clock.ms += 2000
        store.clear()
        for number in range(SLICE + 1):
            put(store, str(number), expires=clock.ms + 1)
        clock.ms += 2000
        async with asyncio.timeout(10):
            while store.stats().items:  # noqa: ASYNC110 - the timer of the store is what is waited for
                await asyncio.sleep(0.01)
        await store.stop()

    asyncio.run(main())


def test_mexpire_keeps_the_value_and_changes_the_time() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        put(store, "without")
        put(store, "with", b"w", clock.ms + 100)
        put(store, "past", b"p")
        store.mexpire({"without": clock.ms + 900, "with": clock.ms + 900, "past": clock.ms, "missing": clock.ms + 900})
        assert store.mget(["without", "with", "past", "missing"]) == {"without": b"v", "with": b"w"}
        assert store.ttl(["without", "with"]) == {"without": clock.ms + 900, "with": clock.ms + 900}
        clock.ms += 900
        assert store.has(["without", "with"]) == []

    within(check)


def test_the_least_recently_used_item_is_evicted() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        for key in "abc":
            put(store, key)
        store.mget(["a"])
        put(store, "d")
        assert store.has(list("abcd")) == ["a", "c", "d"]
        put(store, "c", b"again")
        assert store.stats().items == 3

    within(check, max_items=3)


def test_bytes_of_keys_and_values_are_bounded() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        put(store, "a", b"x" * 40)
        put(store, "b", b"x" * 40, clock.ms + 5000)
        put(store, "a", b"x" * 50)
        assert store.has(["a", "b"]) == ["a", "b"]
        put(store, "c", b"x" * 49)
        assert store.has(["a", "b", "c"]) == ["b", "c"]
        with pytest.raises(StoreError, match="101 bytes is more than max_bytes"):
            put(store, "d", b"x" * 100)
        put(store, "ä", b"x" * 98)
        assert store.has(["b", "c", "ä"]) == ["ä"]

    within(check, max_bytes=100)


@settings(deadline=None)  # other load of the machine must not fail the test
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "timed", "get", "delete", "expire", "pass", "sweep", "clear"]),
            st.sampled_from("abcdef"),
            st.integers(1, 3000),
        ),
        max_size=80,
    )
)
def test_it_agrees_with_a_plain_dict_and_counts_correctly(steps: list[tuple[str, str, int]]) -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        plain: dict[str, tuple[bytes, int]] = {}
        for step, key, number in steps:
            value = b"x" * (number % 7)
            if step == "set":
                put(store, key, value)
                plain[key] = (value, sys.maxsize)
            elif step == "timed":
                put(store, key, value, clock.ms + number)
                plain[key] = (value, clock.ms + number)
            elif step == "delete":
                store.delete([key])
                plain.pop(key, None)
            elif step == "expire":
                store.mexpire({key: clock.ms + number})
                if key in plain:
                    plain[key] = (plain[key][0], clock.ms + number)
            elif step == "pass":
                clock.ms += number
            elif step == "sweep":
                store.sweep(2)
            elif step == "clear":
                store.clear()
                plain.clear()
            plain = {name: kept for name, kept in plain.items() if kept[1] > clock.ms}
            assert store.mget(list("abcdef")) == {name: kept[0] for name, kept in sorted(plain.items())}
        assert store._size == sum(len(name) + len(value) for name, (value, _) in plain.items())

    within(check, max_items=100)


def test_counters_keep_their_time() -> None:
    def check(store: MemoryStore, clock: Clock) -> None:
        assert store.count("hits", 1, clock.ms + 100) == 1
        assert store.count("hits", 41, clock.ms + 900) == 42
        assert store.ttl(["hits"]) == {"hits": clock.ms + 100}
        assert store.mget(["hits"]) == {"hits": b"42"}
        clock.ms += 100
        assert store.count("hits", -1, None) == -1

    within(check)


def test_an_item_with_a_time_is_small() -> None:
    assert sys.getsizeof(TimedValue(b"", 1)) <= 32
