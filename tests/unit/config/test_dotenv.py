"""Parsing of dotenv files."""

from __future__ import annotations

import pytest

from pyroadrunner.config.dotenv import parse_dotenv
from pyroadrunner.config.yaml_text import TextFault


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("\n# comment\n\n", {}),
        ("# no newline", {}),
        ("A=b", {"A": "b"}),
        ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
        ("export A=b", {"A": "b"}),
        ("A: b", {"A": "b"}),
        ("A =  b  ", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=b # comment", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#c", {"A": ""}),
        ("A='b # $X' # c", {"A": "b # $X"}),
        (r'A="b\n\"c\" \$X"', {"A": 'b\n"c" $X'}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ("A=1\nB=$A-${A}", {"A": "1", "B": "1-1"}),
        ("B=${HOME_DIR}/x", {"B": "/home/x"}),
        ("A=it's", {"A": "it's"}),
    ],
)
def test_variables_are_parsed(text: str, found: dict[str, str]) -> None:
    entries = parse_dotenv(text, {"HOME_DIR": "/home"})
    assert {entry.name: entry.value for entry in entries} == found


def test_without_an_environment_nothing_is_expanded() -> None:
    (entry,) = parse_dotenv('A="$B ${C}"', None)
    assert entry.value == "$B ${C}"


@pytest.mark.parametrize(("text", "line"), [("A=1\n\nnonsense\n", 3), ("A='open", 1), ('# c\nA="open\nB=1', 2)])
def test_a_malformed_line_is_named(text: str, line: int) -> None:
    with pytest.raises(TextFault) as refused:
        parse_dotenv(text, {})
    assert refused.value.line == line
