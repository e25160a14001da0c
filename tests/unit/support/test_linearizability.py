"""The checker of lock histories accepts valid and refuses invalid histories."""

from __future__ import annotations

import pytest

from support.linearizability import Call, fault

MS = 1_000_000


def call(text: str, begin: int, end: int, *, ok: bool = True, ttl: int = 0) -> Call:
    method, _, key = text.partition(" ")
    return Call("c", method, "r", key, begin * MS, end * MS, ok, ttl * MS)


GOOD = {
    "one after another": [call("Lock a", 0, 1), call("Release a", 2, 3), call("Lock b", 4, 5)],
    "a wait that is served": [call("Lock a", 0, 1), call("Lock b", 2, 9), call("Release a", 5, 6)],
    "two at the same time, one gets it": [call("Lock a", 0, 5), call("Lock b", 0, 5, ok=False)],
    "readers together": [call("LockRead a", 0, 1), call("LockRead b", 2, 3), call("Lock c", 4, 5, ok=False)],
    "a reader refused behind a waiting writer": [
        call("LockRead a", 0, 1),
        call("Lock b", 2, 9, ok=False),
        call("LockRead c", 4, 5, ok=False),
    ],
    "the only reader wants more": [call("LockRead a", 0, 1), call("Lock a", 2, 3), call("LockRead b", 4, 5, ok=False)],
    "it expired": [call("Lock a", 0, 1, ttl=10), call("Exists a", 5, 6), call("Exists a", 14, 15, ok=False)],
    "renewed in time": [call("Lock a", 0, 1, ttl=10), call("UpdateTTL a", 5, 6), call("Exists *", 90, 91)],
    "the order is not that of the begins": [call("Exists a", 0, 9), call("Lock a", 1, 2), call("Release a", 3, 4)],
    "force": [call("ForceRelease ", 0, 1, ok=False), call("Lock a", 2, 3), call("ForceRelease ", 4, 5)],
}

BAD = {
    "given to two": [call("Lock a", 0, 1), call("Lock b", 2, 3)],
    "a writer among readers": [call("LockRead a", 0, 1), call("LockRead b", 2, 3), call("Lock a", 4, 5)],
    "not re-entrant": [call("Lock a", 0, 1), call("Lock a", 2, 3)],
    "a release that was lost": [call("Lock a", 0, 1), call("Release a", 2, 3), call("Exists a", 4, 5)],
    "refused although free": [call("Lock a", 0, 1), call("Release a", 2, 3), call("Lock b", 4, 5, ok=False)],
    "seen before it was": [call("Exists a", 0, 1), call("Lock a", 2, 3)],
    "released twice": [call("Lock a", 0, 1), call("Release a", 2, 3), call("Release a", 4, 5)],
    "released by another id": [call("Lock a", 0, 1), call("Release b", 2, 3)],
    "ended too soon": [call("Lock a", 0, 1, ttl=50), call("Lock b", 10, 11)],
    "ended too late": [call("Lock a", 0, 1, ttl=10), call("Exists a", 20, 21)],
    "force releases a name that was never locked": [call("ForceRelease ", 0, 1)],
    "force leaves one": [call("Lock a", 0, 1), call("ForceRelease ", 2, 3), call("Exists *", 4, 5)],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_valid_histories_are_accepted(history: list[Call]) -> None:
    assert fault(history) == ""


@pytest.mark.parametrize("history", BAD.values(), ids=BAD)
def test_invalid_histories_are_refused(history: list[Call]) -> None:
    assert fault(history).startswith("r: no order explains the next of these calls")


def test_names_are_independent() -> None:
    one = call("Lock a", 0, 1)
    assert fault([one, Call("c", "Lock", "other", "b", 2, 3, ok=True)]) == ""
