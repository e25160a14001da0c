"""Locks behave like a slow model for random sequences of calls; tests for single rules."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pyroadrunner.plugins.lock.drivers.locks import Locks

NAMES = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["1", "2", "3"])
TTLS = st.integers(0, 6)


class Model:
    """Holders and queue as two lists, searched linearly."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self.queue: list[dict[str, Any]] = []
        self.seen: set[str] = set()
        self.told: dict[int, bool] = {}
        self.order = 0

    def of(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.held if one["name"] == name]

    def queued(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.queue if one["name"] == name]

    def free_for(self, name: str, key: str, read: bool, *, first: bool) -> bool:
        held = self.of(name)
        mine = [one for one in held if one["id"] == key]
        if not held:
            return first
        if not all(one["read"] for one in held):
            return False
        if not read:
            return mine == held
        return bool(mine) or first

    def give(self, name: str, key: str, read: bool, ttl: int, now: int) -> None:
        self.held = [one for one in self.held if (one["name"], one["id"]) != (name, key)]
        self.order += 1
        due = now + ttl if ttl else None
        self.held.append({"name": name, "id": key, "read": read, "due": due, "order": self.order})
        self.seen.add(name)

    def take(self, name: str, key: str, read: bool, ttl: int, now: int) -> bool:
        if not self.free_for(name, key, read, first=not self.queued(name)):
            return False
        self.give(name, key, read, ttl, now)
        return True

    def enqueue(self, number: int, name: str, key: str, read: bool, ttl: int, due: int) -> None:
        self.order += 1
        one = {"name": name, "id": key, "read": read, "ttl": ttl, "due": due, "n": number, "order": self.order}
        held = self.of(name)
        upgrade = not read and all(h["read"] for h in held) and key in [h["id"] for h in held]
        self.queue.insert(0, one) if upgrade else self.queue.append(one)

    def settle(self, now: int) -> None:
        for name in ("a", "b"):
            while queued := self.queued(name):
                one = queued[0]
                if not self.free_for(name, one["id"], one["read"], first=True):
                    break
                self.queue.remove(one)
                self.give(name, one["id"], one["read"], one["ttl"], now)
                self.told[one["n"]] = True

    def tick(self, now: int) -> None:
        while ended := [one for one in self.held + self.queue if one["due"] is not None and one["due"] <= now]:
            one = min(ended, key=lambda one: (one["due"], one["order"]))
            if one in self.queue:
                self.queue.remove(one)
                self.told[one["n"]] = False
            else:
                self.held.remove(one)
            self.settle(now)

    def release(self, name: str, key: str, now: int) -> None:
        self.held = [one for one in self.held if (one["name"], one["id"]) != (name, key)]
        self.settle(now)


class Compared(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.locks = Locks()
        self.model = Model()
        self.told: dict[int, bool] = {}
        self.waiters: dict[int, Any] = {}

    @rule(name=NAMES, key=IDS, read=st.booleans(), ttl=TTLS, wait=TTLS)
    def lock(self, name: str, key: str, read: bool, ttl: int, wait: int) -> None:
        got = self.locks.take(name, key, read=read, ttl=ttl, now=self.now)
        assert got == self.model.take(name, key, read, ttl, self.now)
        if got or not wait:
            return
        number = len(self.waiters)

        def notify(token: int) -> None:
            assert number not in self.told
            self.told[number] = bool(token)

        self.waiters[number] = self.locks.wait(name, key, read=read, ttl=ttl, wait=wait, now=self.now, notify=notify)
        self.model.enqueue(number, name, key, read, ttl, self.now + wait)

    @rule(name=NAMES, key=IDS)
    def release(self, name: str, key: str) -> None:
        mine = any((one["name"], one["id"]) == (name, key) for one in self.model.held)
        self.model.release(name, key, self.now)
        assert self.locks.release(name, key, self.now) == mine

    @rule(name=NAMES)
    def force(self, name: str) -> None:
        assert self.locks.force_release(name, self.now) == (name in self.model.seen)
        self.model.held = [one for one in self.model.held if one["name"] != name]
        self.model.settle(self.now)

    @rule(name=NAMES, key=IDS, ttl=TTLS)
    def update(self, name: str, key: str, ttl: int) -> None:
        mine = [one for one in self.model.held if (one["name"], one["id"]) == (name, key)]
        for one in mine:
            self.model.order += 1
            one["due"], one["order"] = (self.now + ttl if ttl else None), self.model.order
        assert self.locks.update(name, key, ttl, self.now) == bool(mine)

    @rule(number=st.integers(0, 20))
    def give_up(self, number: int) -> None:
        if number in self.waiters and number not in self.told:
            self.locks.give_up(self.waiters[number], self.now)
            self.model.queue = [one for one in self.model.queue if one["n"] != number]
            self.model.settle(self.now)

    @rule(by=st.integers(1, 4))
    def later(self, by: int) -> None:
        self.now += by
        self.model.tick(self.now)
        self.locks.expire(self.now)

    @invariant()
    def same(self) -> None:
        assert self.told == self.model.told
        for name in ("a", "b"):
            held = self.model.of(name)
            assert self.locks.exists(name, "*", self.now) == bool(held)
            for key in ("1", "2", "3"):
                assert self.locks.exists(name, key, self.now) == (key in [one["id"] for one in held])
        for _, resource in self.locks:
            assert len(resource.holders) == 1 or not resource.exclusive

    @invariant()
    def what_is_next_is_in_the_future(self) -> None:
        due = self.locks.next_due()
        ends = [one["due"] for one in self.model.held + self.model.queue if one["due"] is not None]
        assert due == (min(ends) if ends else None)


Compared.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCompared = Compared.TestCase


def test_tokens_grow_and_never_return() -> None:
    locks, seen = Locks(), []
    for n in range(5):
        assert locks.take("x", "me", read=False, ttl=0, now=n)
        seen.append(locks.token)
        assert locks.release("x", "me", n)
    assert seen == sorted(set(seen))


def test_a_lock_that_is_renewed_endlessly_keeps_the_heap_small() -> None:
    locks = Locks()
    assert locks.take("x", "me", read=False, ttl=10, now=0)
    for n in range(10_000):
        assert locks.update("x", "me", 1_000_000, n % 10)
    assert len(locks._heap) < 200


def test_the_number_of_remembered_free_names_is_limited() -> None:
    locks = Locks()
    for n in range(70_000):
        locks.take(str(n), "me", read=False, ttl=0, now=0)
        locks.release(str(n), "me", 0)
    assert not locks.force_release("0", 0)
    assert locks.force_release("69999", 0)
