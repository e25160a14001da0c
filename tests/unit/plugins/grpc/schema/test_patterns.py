from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyroadrunner.plugins.grpc.schema.errors import MalformedPattern
from pyroadrunner.plugins.grpc.schema.patterns import is_pattern, parse_patterns


def matches(pattern: str, path: str) -> bool:
    """Whether a path relative to the working directory matches."""
    for parsed in parse_patterns(pattern):
        below = path.removeprefix(parsed.root + "/") if parsed.root else path
        if (not parsed.root or below != path) and parsed.matches(tuple(below.split("/"))):
            return True
    return False


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.proto", "a.proto", True),
        ("*.proto", ".a.proto", True),
        ("*.proto", "x/a.proto", False),
        ("p/*.proto", "p/a.proto", True),
        ("p/**/*.proto", "p/a.proto", True),
        ("p/**/*.proto", "p/x/y/a.proto", True),
        ("**/a.proto", "a.proto", True),
        ("**", "x/y", True),
        ("p/**/q/**/*.proto", "p/q/a.proto", True),
        ("p/**/q/**/*.proto", "p/1/q/2/3/a.proto", True),
        ("p/**/q/**/*.proto", "p/1/2/a.proto", False),
        ("a**b", "a-x-b", True),
        ("a?.proto", "ab.proto", True),
        ("a?.proto", "a.proto", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[]]x", "]x", True),
        ("[a\\]]x", "]x", True),
        ("[-a]", "-", True),
        ("{a,b/c}.proto", "b/c.proto", True),
        ("{a,b{1,2}}.proto", "b2.proto", True),
        ("{a,b{1,2}}.proto", "b.proto", False),
        ("{[,],x}/*", ",/f", True),
        ("{a\\,b,c}*", "a,b", True),
        ("\\*?", "*a", True),
        ("p/./*.proto", "p/a.proto", True),
        ("a.+*", "a.+b", True),
        ("a.+*", "aa", False),
    ],
)
def test_a_pattern_matches(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("[a", '"[" is not closed'),
        ("{a,b", '"{" is not closed'),
        ("{a,{b}", '"{" is not closed'),
        ("*}", '"}" without "{"'),
        ("*\\", 'nothing follows the last "\\"'),
        ("[z-a]", '"z-a" in "[z-a]" is empty'),
        ("{0,1}" * 11, "the pattern has more than 1024 alternatives"),
        ("*" * 5000, "the pattern is longer than 4096 characters"),
    ],
)
def test_a_malformed_pattern_is_an_error(pattern: str, error: str) -> None:
    with pytest.raises(MalformedPattern) as caught:
        parse_patterns(pattern)
    assert str(caught.value) == error


def test_only_marks_make_a_pattern() -> None:
    assert [is_pattern(entry) for entry in ("a.proto", "a}b", "*", "a?", "[a]", "{a,b}")] == [
        *(False, False, True, True, True, True),
    ]


def test_the_walk_begins_below_the_literal_names_and_ends_at_the_deepest() -> None:
    assert [(found.root, found.deepest) for found in parse_patterns("/a/b/*/c.proto")] == [("/a/b", 2)]
    assert [(found.root, found.deepest) for found in parse_patterns("**/c.proto")] == [("", None)]
    assert [(found.root, found.deepest) for found in parse_patterns("/*")] == [("/", 1)]
    assert [found.root for found in parse_patterns("{a,b}/c/*")] == ["a/c", "b/c"]


@settings(deadline=None)
@given(st.text("ab/*?[]{},\\!^-.", max_size=24))
def test_no_pattern_fails_in_another_way(text: str) -> None:
    try:
        for pattern in parse_patterns(text):
            pattern.matches(("a", "b"))
    except MalformedPattern:
        pass
