"""Names and the trees they make, as tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pyroadrunner.plugins.http.errors import UnreadableRequest
from pyroadrunner.plugins.http.forms import MAX_LEVELS, Tree, parse_urlencoded, segments


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ["a"]),
        ("my field", ["myfield"]),
        ("a[]", ["a", ""]),
        ("a[b]", ["a", "b"]),
        ("a[b][]", ["a", "b", ""]),
        ("a[][k]", ["a", "", "k"]),
        ("k[s]v", ["k", "s", "v"]),
        ("[z]", ["", "z"]),
        ("x.y", ["x.y"]),
        ("a[", ["a"]),
        ("a]b", ["a", "b"]),
        ("a[[b", ["a", "b"]),
        ("a[ ]", ["a", ""]),
        ("", [""]),
    ],
)
def test_names_are_split_as_roadrunner_splits_them(name: str, parts: list[str]) -> None:
    assert segments(name) == parts


@pytest.mark.parametrize("letter", ["a", "[", "]", "\0"])
def test_a_name_may_be_as_long_as_a_body(letter: str) -> None:
    """JSON with the content type of a form is one name. With a square of its length in it, this would take hours."""
    parts = segments(letter * 5_000_000)
    assert len(parts) == 1


def test_a_name_that_is_too_deep_is_not_split_to_its_end() -> None:
    assert len(segments("a" + "[b]" * 1_000_000)) == MAX_LEVELS + 1


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", {}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"a[b]=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
        (b"a[b][c]=1", {"a": {"b": {"c": "1"}}}),
        (b"a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        (b"a[0]=p&a[5]=q", {"a": {"0": "p", "5": "q"}}),
        (
            b"a=1&a=2&b[]=1&b[]=2&c[x][y]=3&g[h]i=5&x.y=2",
            {"a": "2", "b": ["1", "2"], "c": {"x": {"y": "3"}}, "g": {"h": {"i": "5"}}, "x.y": "2"},
        ),
        # numbered as PHP numbers them, where RoadRunner loses values
        (b"a[][k]=1&a[][k]=2", {"a": {"0": {"k": "1"}, "1": {"k": "2"}}}),
        (b"a[][]=1&a[][]=2", {"a": {"0": ["1"], "1": ["2"]}}),
        (b"a[5][x]=1&a[][x]=2", {"a": {"5": {"x": "1"}, "6": {"x": "2"}}}),
        # decoding
        (b"a=x+y&b=%26&c=%C3%A9&d=", {"a": "x y", "b": "&", "c": "é", "d": ""}),
        (b"a=%zz&b=%&c=1;2", {"a": "%zz", "b": "%", "c": "1;2"}),
        (b"a=%ff&b=\xff", {"a": "\ufffd", "b": "\ufffd"}),
        (b"a&b=1=2&&=x", {"a": "", "b": "1=2", "": "x"}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        # the order of submission decides and stays
        (b"z=1&a=2&m=3", {"z": "1", "a": "2", "m": "3"}),
        (b"a[]=1&a=2", {"a": "2"}),
        (b"a=2&a[]=1", {"a": ["1"]}),
        # an empty value never conflicts
        (b"a=&a[b]=1", {"a": {"b": "1"}}),
        (b"a[b]=1&a=", {"a": {"b": "1"}}),
        (b"a[]=&a[b]=1", {"a": {"b": "1"}}),
    ],
)
def test_bodies_become_trees(body: bytes, tree: dict[str, Any]) -> None:
    found = parse_urlencoded(body)
    assert found == tree
    assert msgspec.json.decode(msgspec.json.encode(found)) == tree
    assert list(found) == list(tree)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"a=1&a[b]=2", "a"),
        (b"a[b]=1&a=2", "a"),
        (b"a[b]=1&a[b][c]=2", "b"),
        (b"a[]=1&a[b]=2", "a"),
        (b"a[b]=1&a[]=2", "a"),
    ],
)
def test_a_value_and_a_branch_in_one_place_are_an_error(body: bytes, key: str) -> None:
    with pytest.raises(UnreadableRequest, match=f"invalid multiple values to key '{key}' in tree"):
        parse_urlencoded(body)


def test_names_of_more_than_127_segments_are_ignored() -> None:
    assert parse_urlencoded(b"a" + b"[b]" * 127 + b"=1&ok=1") == {"ok": "1"}
    assert "a" in parse_urlencoded(b"a" + b"[b]" * 126 + b"=1")


def test_many_unnamed_elements_are_numbered_one_by_one() -> None:
    tree = parse_urlencoded(b"&".join(b"a[][k]=%d" % number for number in range(5000)))
    assert tree["a"]["4999"] == {"k": "4999"}


def test_of_files_the_first_of_a_name_stays() -> None:
    tree = Tree(first=True)
    for name, file in (("f", 1), ("f", 2), ("l[]", 3), ("l[]", 4), ("n[a]", 5), ("n[a]", 6)):
        tree.add(name, {"size": file})
    assert tree.root == {"f": {"size": 1}, "l": [{"size": 3}, {"size": 4}], "n": {"a": {"size": 5}}}


def test_files_conflict_as_fields_do() -> None:
    tree = Tree(first=True)
    tree.add("f", {"size": 1})
    with pytest.raises(UnreadableRequest):
        tree.add("f[x]", {"size": 2})
