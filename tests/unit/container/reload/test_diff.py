"""Changes between two configs."""

from __future__ import annotations

import pytest

from pyroadrunner.container.reload.diff import ENTRY, Change, covered, differences, with_changes, with_entries


def test_changed_keys_in_the_order_of_the_new_config_then_removed_ones() -> None:
    old = {("a", "gone"): 1, ("a", "same"): 2, ("a", "other"): 3}
    new = {("a", "new"): [4], ("a", "same"): 2, ("a", "other"): 5}
    assert differences(old, new) == [
        Change(path=("a", "new"), old=None, new=[4]),
        Change(path=("a", "other"), old=3, new=5),
        Change(path=("a", "gone"), old=1, new=None),
    ]


def test_an_added_or_removed_map_is_listed_by_key() -> None:
    without = {("pool", "supervisor"): None, ("headers",): {}}
    given = {("pool", "supervisor", "ttl"): "1s", ("headers", "cors"): "x"}
    assert [change.key for change in differences(without, given)] == ["pool.supervisor.ttl", "headers.cors"]
    assert [change.key for change in differences(given, without)] == ["pool.supervisor.ttl", "headers.cors"]


def test_false_and_zero_are_values() -> None:
    assert [(one.old, one.new) for one in differences({("a",): False, ("b",): 0}, {("a",): True, ("b",): None})] == [
        (False, True),
        (0, None),
    ]


def test_secrets_are_not_shown() -> None:
    change = Change(path=("kv", "redis", "password"), old="old", new="new")
    assert change.shown() == {"key": "kv.redis.password", "old": "***", "new": "***"}


@pytest.mark.parametrize(
    ("key", "live", "answer"),
    [
        ("pool.num_workers", ["pool.num_workers"], True),
        ("pool.supervisor.ttl", ["pool.supervisor"], True),
        ("pool.supervisor", ["pool.supervisor.ttl"], False),
        ("pools", ["pool"], False),
        ("anything.at.all", [""], True),
        ("address", [], False),
    ],
)
def test_a_live_key_covers_what_is_below_it(key: str, live: list[str], answer: bool) -> None:
    assert covered(key, live) is answer


def test_some_changes_of_a_config() -> None:
    old = {("a",): 1, ("b",): 2, ("c",): 3}
    changes = [Change(path=("a",), old=1, new=10), Change(path=("b",), old=2, new=None)]
    assert with_changes(old, changes) == {("a",): 10, ("c",): 3}


def test_an_added_or_removed_entry_is_one_change_if_names_are_the_users() -> None:
    old = {("service", "gone", "command"): "a", ("service", "gone", "num"): 1, ("service", "both", "num"): 1}
    new = {("service", "new", "command"): "b", ("service", "new", "num"): 1, ("service", "both", "num"): 2}
    changes = with_entries(differences(old, new), old, new, {"service"})
    assert [(change.key, change.old, change.new) for change in changes] == [
        ("service.new", None, ENTRY),
        ("service.both.num", 1, 2),
        ("service.gone", ENTRY, None),
    ]
    assert with_entries(differences(old, new), old, new, {"kv"}) == differences(old, new)
