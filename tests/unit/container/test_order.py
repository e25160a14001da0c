"""Who comes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.container.errors import NeedsInACircle
from pyroadrunner.container.order import ordered


@pytest.mark.parametrize(
    ("needs", "weights", "expected"),
    [
        ({}, {}, []),
        ({"b": [], "a": []}, {}, ["a", "b"]),
        ({"a": ["b"], "b": []}, {}, ["b", "a"]),
        ({"http": ["server"], "server": [], "logs": [], "rpc": []}, {"logs": 1000, "rpc": 100}, None),
        ({"a": ["z"], "z": [], "m": []}, {"a": 9}, ["m", "z", "a"]),
        ({"a": [], "b": ["a"], "c": ["a"]}, {"c": 1}, ["a", "c", "b"]),
    ],
)
def test_needs_come_first_then_weight_then_name(
    needs: dict[str, list[str]], weights: dict[str, int], expected: list[str] | None
) -> None:
    assert ordered(needs, weights) == (expected or (["logs", "rpc", "server", "http"] if needs else []))


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": ["b"], "b": ["a"]}, ["a", "b"]),
        ({"a": ["a"]}, ["a"]),
        ({"a": ["b"], "b": ["c"], "c": ["b"], "d": []}, ["b", "c"]),
    ],
)
def test_a_circle_is_named(needs: dict[str, list[str]], circle: list[str]) -> None:
    with pytest.raises(NeedsInACircle) as caught:
        ordered(needs, {})
    assert caught.value.circle == circle
    assert ", ".join(circle) in str(caught.value)


@given(st.integers(1, 8).flatmap(lambda n: st.lists(st.sets(st.integers(0, n - 1)), min_size=n, max_size=n)))
def test_any_needs_without_a_circle_are_kept(edges: list[set[int]]) -> None:
    needs = {str(i): [str(j) for j in others if j < i] for i, others in enumerate(edges)}
    names = ordered(needs, {})
    assert sorted(names) == sorted(needs)
    for name, others in needs.items():
        assert all(names.index(other) < names.index(name) for other in others)
