"""Expiry in all drivers. All items of a driver are set and watched together, to wait only once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass

import pytest

from support.kv import KvClient, now
from support.kv_subjects import Subject
from support.server import Server

HOUR = 3_600_000
LIFE = 300  # milliseconds; more if a driver's items may expire early, and on slow machines

GOES = {
    "set": "set with a time",
    "given": "set without a time, then given one",
    "shortened": "set with a far time, then given a near one",
    "counted": "a counter made with a time, then counted on with another",
    "absent": "set as it was absent",
}
STAYS = {
    "prolonged": "set with a near time, then given a far one",
    "replaced": "set with a time, then without",
    "deleted": "set with a time, deleted, set without",
    "forever": "set without a time",
}


@dataclass(frozen=True)
class Watched:
    """What was seen of the items.

    Attributes:
        expires: their time.
        last: when a call that still saw the item was sent; ``first``: when one that did not was answered.
        values: of all that were there at the beginning, and at the end.
        again: what could be set as it was absent, before and after the time.
    """

    expires: int
    last: Mapping[str, int]
    first: Mapping[str, int]
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]
    again: tuple[Set[str], Set[str]]


@pytest.fixture(scope="session")
def watched(served: tuple[Subject, Server]) -> Watched:
    with KvClient(served[1].rpc, "store") as kv:
        life = LIFE + served[0].early
        while True:
            expires = now() + life
            refused = prepare(kv, expires)
            before = kv.get(*GOES, *STAYS)
            if now() < expires - served[0].early:
                break
            life *= 2  # this machine is too busy for that
        last, first = watch(kv, expires + served[0].late)
        after = kv.get(*GOES, *STAYS)
        return Watched(expires, last, first, before, after, (refused, kv.set_absent({"absent": b"c"})))


def prepare(kv: KvClient, expires: int) -> Set[str]:
    """Create all items in an empty storage; return the existing keys that could be set as absent."""
    kv.clear()
    kv.set({"set": b"v", "prolonged": b"p", "replaced": b"old", "deleted": b"old"}, expires)
    kv.set({"given": b"g", "replaced": b"new", "forever": b"f"})
    kv.set({"shortened": b"s"}, expires + HOUR)
    kv.count("Incr", "counted", 5, expires)
    kv.count("Incr", "counted", 5, expires + HOUR)
    kv.set_absent({"absent": b"a"}, expires)
    kv.delete("deleted")
    kv.set({"deleted": b"new"})
    kv.expire({"given": expires, "shortened": expires, "prolonged": expires + HOUR})
    return kv.set_absent({"absent": b"b"})


def watch(kv: KvClient, end: int) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Poll until all items that should expire are gone, or must be."""
    last: dict[str, int] = {}
    first: dict[str, int] = {}
    while set(GOES) - first.keys():
        sent = now()
        there = kv.has(*GOES, *STAYS)
        answered = now()
        last |= dict.fromkeys(there, sent)
        first |= {key: answered for key in {*GOES, *STAYS} - there if key not in first}
        if sent > end:
            break
        time.sleep(0.002)
    return last, first


def test_no_item_expires_early(watched: Watched, subject: Subject) -> None:
    assert watched.before.keys() == {*GOES, *STAYS}
    assert watched.before["counted"] == b"10"
    assert watched.before["replaced"] == b"new"
    assert min(watched.first.values()) >= watched.expires - subject.early


@pytest.mark.parametrize("key", GOES)
def test_items_expire_on_time(watched: Watched, subject: Subject, key: str) -> None:
    assert key not in watched.after
    assert watched.last.get(key, 0) <= watched.expires + subject.late


@pytest.mark.parametrize("key", STAYS)
def test_the_last_time_counts(watched: Watched, key: str) -> None:
    assert key not in watched.first
    assert watched.after[key] == watched.before[key]


def test_a_key_set_as_absent_can_be_set_again_after_its_expiry(watched: Watched) -> None:
    assert watched.again == (set(), {"absent"})
