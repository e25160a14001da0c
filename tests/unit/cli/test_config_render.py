"""Rendering of `rr config`."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.cli.config.render import faults_json, faults_text, show_json, show_yaml
from pyroadrunner.config.effective import Leaf
from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.yaml_text import parse_yaml

PLACE = Origin(kind="file", source=".rr.yaml", line=7)
FAULT = Fault(message="wrong", path="http.key", value="s3cret", origin=PLACE)
WARNING = Fault(message="odd", kind="doubtful")


def leaf(path: str, value: Any, source: str = "default") -> Leaf:
    return Leaf(path=tuple(path.split(".")), value=value, source=source)


def test_errors_come_first_then_warnings_then_totals() -> None:
    assert faults_text([FAULT, FAULT], [WARNING], 4).splitlines() == [
        ".rr.yaml:7: http.key: wrong",
        ".rr.yaml:7: http.key: wrong",
        "warning: odd",
        "2 faults, 1 warning",
    ]


def test_no_errors_are_reported_as_such() -> None:
    assert faults_text([], [], 3) == "3 sections, no faults"
    assert faults_text([], [WARNING], 1) == "warning: odd\n1 section, no faults, 1 warning"


def test_json_is_the_same_without_values() -> None:
    data = json.loads(faults_json([FAULT], [WARNING], ["rpc"]))
    assert data["ok"] is False
    assert data["sections"] == ["rpc"]
    assert data["faults"][0] == {
        "kind": "fault",
        "path": "http.key",
        "message": "wrong",
        "expected": "",
        "hint": "",
        "source": ".rr.yaml",
        "line": 7,
    }
    assert data["warnings"][0]["source"] is None
    assert "s3cret" not in str(data)


def test_yaml_has_the_source_after_each_value() -> None:
    text = show_yaml([leaf("version", "3", ".rr.yaml:1"), leaf("http.pool.debug", True), leaf("http.address", ":80")])
    assert [line.split() for line in text.splitlines()] == [
        ["version:", '"3"', "#", ".rr.yaml:1"],
        ["http:"],
        ["pool:"],
        ["debug:", "true", "#", "default"],
        ["address:", '":80"', "#", "default"],
    ]


def test_a_map_that_is_continued_later_is_written_once() -> None:
    text = show_yaml([leaf("a.b", 1), leaf("c", 2), leaf("a.d", 3)])
    assert parse_yaml(text)[0] == {"a": {"b": 1, "d": 3}, "c": 2}


def test_json_has_the_config_and_the_origins() -> None:
    data = json.loads(show_json([leaf("http.pool.debug", True, ".rr.yaml:3"), leaf("http.list", [1])]))
    assert data == {
        "config": {"http": {"pool": {"debug": True}, "list": [1]}},
        "origins": {"http.pool.debug": ".rr.yaml:3", "http.list": "default"},
    }


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["yes", "0x1", "1:2", "a: b", "#", "-", "~"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(), VALUES)
def test_the_output_can_be_read_back(key: str, value: Any) -> None:
    text = show_yaml([Leaf(path=("section", key), value=value, source="default")])
    assert parse_yaml(text)[0] == {"section": {key: value}}
