"""YAML is parsed as in Go's yaml.v3, with line numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.config.yaml_text import TextFault, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("nUll", "nUll"),
        ("10", 10),
        ("-7", -7),
        ("1_000", 1000),
        ("0755", 493),
        ("0o755", 493),
        ("0x1F", 31),
        ("0b11", 3),
        ("08", 8.0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("1:30", "1:30"),
        ("0:8080", "0:8080"),
        ("2024-01-02", "2024-01-02"),
        ("1.2.3", "1.2.3"),
        ("'-'", "-"),
        ("-x", "-x"),
        ("10s", "10s"),
        ("'10'", "10"),
        ('"true"', "true"),
        ("!!str 10", "10"),
        ("!!int 10", 10),
        ("!custom 10", 10),
        ("|\n  two\n  lines", "two\nlines"),
        ("[1, a]", [1, "a"]),
        ("{A: b}", {"A": "b"}),
    ],
)
def test_a_value_has_the_same_type_as_in_go(text: str, value: Any) -> None:
    data, _ = parse_yaml(f"k: {text}")
    assert data == {"k": value}
    assert type(data["k"]) is type(value)


def test_every_key_and_element_has_its_line_number() -> None:
    text = 'version: "3"\n\nhttp:\n  # why\n  address: x\n  middleware:\n    - a\n    - b\n  pool: {debug: true}\n'
    _, lines = parse_yaml(text)
    assert lines == {
        ("version",): 1,
        ("http",): 3,
        ("http", "address"): 5,
        ("http", "middleware"): 6,
        ("http", "middleware", 0): 7,
        ("http", "middleware", 1): 8,
        ("http", "pool"): 9,
        ("http", "pool", "debug"): 9,
    }


def test_anchors_merge_and_own_keys_override_them_at_any_position() -> None:
    text = "x-base: &b {a: 1, b: 1}\ny: &y {c: 2}\none:\n  b: 3\n  <<: *b\ntwo:\n  <<: [*y, *b]\nthree: *y\n"
    data, lines = parse_yaml(text)
    assert data["one"] == {"a": 1, "b": 3}
    assert data["two"] == {"a": 1, "b": 1, "c": 2}
    assert data["three"] == {"c": 2}
    assert lines["one", "a"] == 1


def test_keys_are_text_as_written() -> None:
    assert parse_yaml("8080: a\ntrue: b\n0.5: c")[0] == {"8080": "a", "true": "b", "0.5": "c"}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3", 3, "`a` is set twice, first on line 1"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a:\n\tb: 1", 2, "cannot start any token"),
        ("a: [1", 2, "while parsing a flow sequence that starts on line 1"),
        ("a: &x [*x]", 1, "an anchor contains itself"),
        ("a: *x", 1, "undefined alias"),
        ("[a]: 1", 1, "a key must be text"),
        ("a:\n  <<: 5", 2, "<< takes a map"),
        ("a: 1\n---\nb: 2", 2, "another document"),
    ],
)
def test_an_error_has_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(TextFault) as refused:
        parse_yaml(text)
    assert problem in refused.value.problem
    assert refused.value.line == line


def test_aliases_that_stand_for_billions_of_values_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    with pytest.raises(TextFault, match="aliases repeat more than 100000 values"):
        parse_yaml("\n".join(lines))


def test_a_few_thousand_repeated_values_are_read() -> None:
    pool = "{" + ", ".join(f"k{i}: {i}" for i in range(20)) + "}"
    document, _ = parse_yaml(f"a: &a {pool}\nb: [{', '.join(['*a'] * 1000)}]")
    assert document["b"][999]["k19"] == 19


def test_an_empty_document_is_none() -> None:
    assert parse_yaml("# nothing\n") == (None, {})


@given(st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"#?,<~0.x \n\t", max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    problem = ""
    try:
        parse_yaml(text)
    except TextFault as wrong:
        problem = wrong.problem
    assert len(problem.splitlines()) <= 1
