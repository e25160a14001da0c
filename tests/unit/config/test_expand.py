"""Every row of RoadRunner's table of expansions; the rows marked as its defects are fixed."""

from __future__ import annotations

import pytest

from pyroadrunner.config.expand import expand, expand_layer, loses_text
from pyroadrunner.config.keys import normalise
from pyroadrunner.config.origin import Origin

ENV = {"A": "val", "EMPTY": "", "N1_x": "n"}
FILE = Origin(kind="file", source=".rr.yaml")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${A}", "val"),
        ("$A", "val"),
        ("x$A/y", "xval/y"),
        ("$N1_x-", "n-"),
        ("${UNSET}", ""),
        ("$UNSET", ""),
        ("${A:-def}", "val"),
        ("${UNSET:-def}", "def"),
        ("${EMPTY:-def}", "def"),
        ("${UNSET:-}", ""),
        ("${UNSET-def}", ""),
        ("${UNSET:=d}", ""),
        ("pa$$word", "paword"),
        ("$5x", "x"),
        ("a$-b$?c$!d$@e$*f$#g", "abcdefg"),
        ("trailing$", "trailing$"),
        ("a$ b", "a$ b"),
        ("a$/b", "a$/b"),
        ("${A", "A"),
        ("x${}y", "xy"),
        ("${A}:${UNSET:-x}", "val:x"),
        ("$A:-x", "val:-x"),
        ("${UNSET:-x:-y}", "x:-y"),
        ("127.0.0.1:${PORT:-8080}", "127.0.0.1:8080"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENV) == expanded


@pytest.mark.parametrize("text", ["pa$$word", "$5", "${A:=x}", "${A-x}", "${}", "${A"])
def test_a_reference_that_is_always_empty_is_detected(text: str) -> None:
    assert loses_text(text)


@pytest.mark.parametrize("text", ["", "plain", "$A", "${A}", "${A:-}", "${A:-x:-y}", "100$", "a$/b"])
def test_a_reference_that_may_have_a_value_is_not_detected(text: str) -> None:
    assert not loses_text(text)


def test_strings_at_any_depth_are_expanded_and_other_values_are_kept() -> None:
    layer = normalise({"a": {"b": "$A"}, "l": ["${A}", 1, "x", {"k": "$A"}, ["$A"]], "$A": 1}, {}, FILE)
    expand_layer(layer, ENV)
    assert layer.data == {"a": {"b": "val"}, "l": ["val", 1, "x", {"k": "val"}, ["val"]], "$a": 1}


def test_a_list_of_environment_variables_is_expanded_when_a_process_starts() -> None:
    layer = normalise({"server": {"env": [{"K": "$A"}]}, "apps": [{"env": "$A"}]}, {}, FILE)
    expand_layer(layer, ENV)
    assert layer.data == {"server": {"env": [{"k": "$A"}]}, "apps": [{"env": "val"}]}


def test_the_origin_keeps_the_original_text() -> None:
    layer = normalise({"a": {"b": "$A"}, "c": "x"}, {("a", "b"): 7}, FILE)
    expand_layer(layer, ENV)
    assert layer.origins["a", "b"] == Origin(kind="file", source=".rr.yaml", line=7, template="$A")
    assert layer.origins["c",].template == ""
