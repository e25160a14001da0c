"""``-o key=value``."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.keys import Layer, normalise
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.overrides import apply_override, parse_override

FILE = Origin(kind="file", source=".rr.yaml")


@pytest.mark.parametrize(
    ("flag", "key", "value"),
    [
        ("a=b", "a", "b"),
        (" a.b = c ", "a.b", "c"),
        ("a=b=c", "a", "b=c"),
        ("a=1,2,3", "a", "1,2,3"),
        ('"a=b', "a", "b"),
        ("`a=b", "a", "b"),
        ('a="b c"', "a", "b c"),
        ("a='b'", "a", "b"),
        ("a=`b`", "a", "b"),
        (r'a="x\"y"', "a", 'x"y'),
        (r"a=x\"y", "a", r"x\"y"),
    ],
)
def test_a_flag_is_a_key_and_a_value(flag: str, key: str, value: str) -> None:
    assert parse_override(flag) == (key, value)


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("foo", "parse_flag: invalid flag `foo`"),
        ("=x", "key should not be empty"),
        ("x=", "value should not be empty"),
        ("x=  ", "value should not be empty"),
    ],
)
def test_an_incomplete_flag_is_refused_with_roadrunners_text(flag: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_override(flag)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("flag", "data"),
    [
        ("new.section.key=1", {"http": {"a": 1, "l": [1]}, "new": {"section": {"key": "1"}}}),
        ("http.a=x", {"http": {"a": "x", "l": [1]}}),
        ("HTTP.A=X", {"http": {"a": "X", "l": [1]}}),
        ("http.l=a,b", {"http": {"a": 1, "l": "a,b"}}),
        ("http.a.b=x", {"http": {"a": {"b": "x"}, "l": [1]}}),
        ("http=x", {"http": "x"}),
        ("http.v=${HOST:-h}:$PORT", {"http": {"a": 1, "l": [1], "v": "h:80"}}),
    ],
)
def test_a_flag_sets_a_string_and_creates_the_maps_on_its_path(flag: str, data: dict[str, Any]) -> None:
    layer = normalise({"http": {"a": 1, "l": [1]}}, {}, FILE)
    apply_override(flag, layer, {"PORT": "80"})
    assert layer.data == data


def test_elements_of_a_list_can_not_be_overridden() -> None:
    layer = normalise({"http": {"l": [1]}}, {}, FILE)
    with pytest.raises(ConfigError, match=r"give the whole list: -o http\.l=a,b"):
        apply_override("http.l.0=x", layer, {})


def test_the_origin_is_the_flag_and_nothing_of_the_replaced_value_remains() -> None:
    layer = normalise({"http": {"l": [1]}}, {}, FILE)
    apply_override("http.l=$X", layer, {})
    assert layer.origins["http", "l"] == Origin(kind="override", source="-o http.l", template="$X")
    assert ("http", "l", 0) not in layer.origins


def test_maps_created_on_the_path_have_the_flag_as_origin() -> None:
    layer = Layer()
    apply_override("rpc.listen=tcp://127.0.0.1:1", layer, {})
    assert str(layer.origins["rpc",]) == "-o rpc.listen"
