"""Parsing names into trees, as tables."""

from __future__ import annotations

import tracemalloc
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyroadrunner.plugins.http.body.forms import FormLimits, Tree, parse_urlencoded, segments, tree_value
from pyroadrunner.plugins.http.config import FormsConfig
from pyroadrunner.plugins.http.errors import FormTooDeep, FormTooLarge, UnreadableRequest

LIMITS = FormLimits.of(FormsConfig())


def limits(**keys: int) -> FormLimits:
    return FormLimits.of(FormsConfig(**keys))


def parsed(body: bytes | bytearray, limits: FormLimits = LIMITS) -> Any:
    """The tree as a worker decodes it."""
    return msgspec.json.decode(msgspec.json.encode(parse_urlencoded(body, limits)))


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
    assert segments(name, 64) == parts


@pytest.mark.parametrize("letter", ["a", "[", "]", "\0"])
def test_a_name_may_be_as_long_as_a_body(letter: str) -> None:
    """JSON sent with the content type of a form is one name. An algorithm quadratic in its length would take hours."""
    parts = segments(letter * 5_000_000, 64)
    assert len(parts) == 1


def test_a_name_that_is_too_deep_is_not_split_completely() -> None:
    assert len(segments("a" + "[b]" * 1_000_000, 64)) == 65


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
        # numbered as in PHP, where RoadRunner loses values
        (b"a[][k]=1&a[][k]=2", {"a": {"0": {"k": "1"}, "1": {"k": "2"}}}),
        (b"a[][]=1&a[][]=2", {"a": {"0": ["1"], "1": ["2"]}}),
        (b"a[5][x]=1&a[][x]=2", {"a": {"5": {"x": "1"}, "6": {"x": "2"}}}),
        # decoding
        (b"a=x+y&b=%26&c=%C3%A9&d=", {"a": "x y", "b": "&", "c": "é", "d": ""}),
        (b"a=%zz&b=%&c=1;2", {"a": "%zz", "b": "%", "c": "1;2"}),
        (b"a=%ff&b=\xff", {"a": "\ufffd", "b": "\ufffd"}),
        (b"a&b=1=2&&=x", {"a": "", "b": "1=2", "": "x"}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        # the order of submission decides and is kept
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
    found = parse_urlencoded(body, LIMITS)
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
def test_a_name_used_for_a_value_and_a_branch_is_an_error(body: bytes, key: str) -> None:
    with pytest.raises(UnreadableRequest, match=f"invalid multiple values to key '{key}' in tree"):
        parse_urlencoded(body, LIMITS)


def test_the_segments_of_a_name_are_limited() -> None:
    assert "a" in parsed(b"a" + b"[b]" * 63 + b"=1")
    with pytest.raises(FormTooDeep, match=r"more than 64 levels deep \(http\.forms\.max_depth\)$"):
        parse_urlencoded(b"ok=1&a" + b"[b]" * 64 + b"=1", LIMITS)
    assert "a" in parsed(b"a" + b"[b]" * 499 + b"=1", limits(max_depth=500))


@pytest.mark.parametrize("body", [b"a=1&b=2&c", b"a&b=&a=3&", b"&&&a"])
def test_the_number_of_fields_is_limited(body: bytes) -> None:
    parse_urlencoded(body, limits(max_fields=3))
    with pytest.raises(FormTooLarge, match=r"more than 2 fields \(http\.forms\.max_fields\)$"):
        parse_urlencoded(body, limits(max_fields=2))
    parse_urlencoded(body, limits(max_fields=0))


def test_branches_are_limited_as_fields_are() -> None:
    body = b"a[b][c]=1&a[b][d]=2&a[e][]=3"
    assert parsed(body, limits(max_fields=3)) == {"a": {"b": {"c": "1", "d": "2"}, "e": ["3"]}}
    with pytest.raises(FormTooLarge, match="fields"):
        parse_urlencoded(b"a[b][c][d]=1", limits(max_fields=2))


def test_the_bytes_of_a_name_are_limited() -> None:
    assert parsed(b"a" * 1024 + b"=1", limits(max_name_size=1)) == {"a" * 1024: "1"}
    with pytest.raises(FormTooLarge, match=r"a name of more than 1 KB \(http\.forms\.max_name_size\)$"):
        parse_urlencoded(b"a" * 1025, limits(max_name_size=1))
    parse_urlencoded(b"a" * 1025, limits(max_name_size=0))


HEX = st.sampled_from(
    [b"%41", b"%c3%a9", b"%f0%9f%90%98", b"%", b"%%", b"%4", b"%zz", b"%\n", b"%\r\n", b"%ff", b"%01"]
)
TEXT = st.sampled_from(
    [b"a", b"+", b"=", b"=3D", b"\xc3\xa9", b"\xf0\x9f", b"\xff", b'"', b"\\", b"\0", b"\n", b"_", b"%22"]
)


@given(st.lists(HEX | TEXT, max_size=200))
@example([b"%4", b"+", b"a"])
def test_values_are_decoded_as_urllib_decodes_them(pieces: list[bytes]) -> None:
    value = b"".join(pieces)
    assert parsed(b"a=" + value) == {"a": unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")}
    assert parsed(value.replace(b"=", b"")) == (
        {unquote_to_bytes(value.replace(b"+", b" ").replace(b"=", b"")).decode("utf-8", "replace").replace(" ", ""): ""}
        if value.replace(b"=", b"")
        else {}
    )


@pytest.mark.parametrize("piece", [b"%41", b"%c3%a9", b"%F0%9F%90%98", b"\xf0\x9f\x90\x98", b"%", b"%ff", b"a+=b"])
@pytest.mark.parametrize("offset", range(4))
def test_a_value_of_many_blocks_is_decoded_as_one(piece: bytes, offset: int) -> None:
    value = b"x" * offset + piece * 70_000
    text = unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")
    assert parsed(b"b=1&a=" + value + b"&c=2") == {"b": "1", "a": text, "c": "2"}
    assert parsed(bytearray(b"a=" + value)) == {"a": text}
    plain = msgspec.json.decode(msgspec.json.encode(tree_value(bytearray(value))))
    assert plain == value.decode("utf-8", "replace")


@pytest.mark.parametrize("piece", [b"%41", b"%zz", b"%", b"x", b"%01"])
def test_a_large_value_takes_a_small_multiple_of_its_size(piece: bytes) -> None:
    body = bytearray(b"a=" + piece * (6_000_000 // len(piece)))
    tracemalloc.start()
    try:
        encoded = msgspec.json.encode(parse_urlencoded(body, LIMITS))
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < len(encoded) * 2.5 + (4 << 20)


def test_many_deep_names_take_no_more_memory_than_the_limit_allows() -> None:
    body = b"&".join(b"".join(b"a%d[" % (number * 64 + level) for level in range(60)) for number in range(2000))
    tracemalloc.start()
    try:
        with pytest.raises(FormTooLarge):
            parse_urlencoded(body, LIMITS)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < 16 << 20


def test_many_unnamed_elements_are_numbered_one_by_one() -> None:
    tree = parse_urlencoded(b"&".join(b"a[][k]=%d" % number for number in range(5000)), LIMITS)
    assert tree["a"]["4999"] == {"k": "4999"}


def test_the_first_file_with_a_name_wins() -> None:
    tree = Tree(LIMITS, first=True)
    for name, file in (("f", 1), ("f", 2), ("l[]", 3), ("l[]", 4), ("n[a]", 5), ("n[a]", 6)):
        tree.add(name, {"size": file})
    assert tree.root == {"f": {"size": 1}, "l": [{"size": 3}, {"size": 4}], "n": {"a": {"size": 5}}}


def test_files_conflict_as_fields_do() -> None:
    tree = Tree(LIMITS, first=True)
    tree.add("f", {"size": 1})
    with pytest.raises(UnreadableRequest):
        tree.add("f[x]", {"size": 2})
