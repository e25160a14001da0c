"""Keys are converted to lower case at every level, and dotted keys become maps."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.keys import normalise
from pyroadrunner.config.origin import Origin, dotted

FILE = Origin(kind="file", source=".rr.yaml")


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ({}, {}),
        ({"KV": {"Mem": {"Driver": "Memory"}}}, {"kv": {"mem": {"driver": "Memory"}}}),
        ({"a": [{"B": [{"C": 1}]}]}, {"a": [{"b": [{"c": 1}]}]}),
        ({"http.custom": {"A": 1}}, {"http": {"custom": {"a": 1}}}),
        ({"http": {"address": "x"}, "http.pool.debug": True}, {"http": {"address": "x", "pool": {"debug": True}}}),
        ({"http.pool": {"a": 1}, "http": {"pool": {"b": 2}}}, {"http": {"pool": {"a": 1, "b": 2}}}),
        ({"Http": {"a": 1}, "http": {"b": 2}}, {"http": {"a": 1, "b": 2}}),
        ({"objectives": {"0.5": 0.05, ".99": 1}}, {"objectives": {"0.5": 0.05, ".99": 1}}),
        ({"a..b": 1, ".a": 2}, {"a..b": 1, ".a": 2}),
        ({"http": None, "http.a": 1}, {"http": {"a": 1}}),
    ],
)
def test_keys_are_normalised(document: dict[str, Any], data: dict[str, Any]) -> None:
    layer = normalise(document, {}, FILE)
    assert layer.data == data
    assert layer.faults == []


@pytest.mark.parametrize(
    "document",
    [
        {"Http": 1, "http": 2},
        {"http": {"Address": 1, "address": 2}},
        {"http.address": "x", "http": {"address": "y"}},
        {"http": "x", "http.address": "y"},
    ],
)
def test_keys_that_become_equal_are_an_error(document: dict[str, Any]) -> None:
    (fault,) = normalise(document, {}, FILE).faults
    assert "is set twice" in fault.message


def test_the_error_names_both_lines() -> None:
    document = {"Http": 1, "http": 2}
    (fault,) = normalise(document, {("Http",): 3, ("http",): 9}, FILE).faults
    assert str(fault).startswith(".rr.yaml:9: http: is set twice, first at .rr.yaml:3;")


def test_origins_have_the_lines_of_the_keys() -> None:
    lines = {("Http.Pool",): 2, ("Http.Pool", "Debug"): 3, ("L",): 5, ("L", 0): 6, ("L", 0, "X"): 7}
    origins = normalise({"Http.Pool": {"Debug": True}, "L": [{"X": 1}]}, lines, FILE).origins
    assert origins["http", "pool", "debug"].line == 3
    assert origins["l", 0, "x"].line == 7
    assert origins["http",].line == 2


def test_forgetting_a_path_forgets_all_paths_inside_it() -> None:
    layer = normalise({"a": {"b": 1}, "c": 2}, {}, FILE)
    layer.forget(("a",))
    assert list(layer.origins) == [("c",)]


def test_a_path_is_formatted_as_in_the_config() -> None:
    assert dotted(("http", "middleware", 0, "name")) == "http.middleware[0].name"


def test_names_on_a_broker_keep_their_case_and_their_dots() -> None:
    document = {
        "Jobs": {
            "Pipelines": {
                "Mails": {"Driver": "kafka", "Config": {"Prefetch": 1, "Tags": {"Team.A": {"X-Y.Z": 1}}}},
            }
        }
    }
    layer = normalise(document, {}, Origin(kind="file", source="x"))
    config = {"prefetch": 1, "tags": {"Team.A": {"X-Y.Z": 1}}}
    assert layer.data == {"jobs": {"pipelines": {"mails": {"driver": "kafka", "config": config}}}}
    assert ("jobs", "pipelines", "mails", "config", "tags", "Team.A", "X-Y.Z") in layer.origins
