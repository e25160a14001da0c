"""Values convert by RoadRunner's weak rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyroadrunner.config import values
from pyroadrunner.config.values import Unreadable

CONVERTED: list[tuple[Callable[[object], Any], object, Any]] = [
    (values.to_int, 5, 5),
    (values.to_int, 5.0, 5),
    (values.to_int, True, 1),
    (values.to_int, "5", 5),
    (values.to_int, "-5", -5),
    (values.to_int, "0x1F", 31),
    (values.to_int, "0o17", 15),
    (values.to_int, "017", 15),
    (values.to_int, "0b11", 3),
    (values.to_int, "", 0),
    (values.to_float, 1, 1.0),
    (values.to_float, "1.5", 1.5),
    (values.to_float, "0x10", 16.0),
    (values.to_float, "", 0.0),
    (values.to_bool, True, True),
    (values.to_bool, 2, True),
    (values.to_bool, 0, False),
    (values.to_bool, "t", True),
    (values.to_bool, "TRUE", True),
    (values.to_bool, "F", False),
    (values.to_bool, "0", False),
    (values.to_bool, "", False),
    (values.to_string, "a", "a"),
    (values.to_string, True, "1"),
    (values.to_string, False, "0"),
    (values.to_string, 5, "5"),
    (values.to_string, 1.0, "1"),
    (values.to_string, 1.5, "1.5"),
    (values.to_string, None, ""),
    (values.to_duration, "1m30s", 90.0),
    (values.to_duration, 5, 5e-9),
    (values.to_duration, 1_000_000_000, 1.0),
    (values.to_duration, 0, 0.0),
    (values.to_string_list, ["a", 1, True], ["a", "1", "1"]),
    (values.to_string_list, "a, b,,c", ["a", "b", "c"]),
    (values.to_string_list, 5, ["5"]),
    (values.to_string_list, "", []),
    (values.to_string_map, {"a": True, "b": None, "c": 1}, {"a": "1", "b": "", "c": "1"}),
    (values.to_string_map, [{"a": 1}, {"b": 2, "a": 3}], {"a": "3", "b": "2"}),
    (values.to_map, [], {}),
    (values.to_command, "php worker.php", ["php", "worker.php"]),
    (values.to_command, ["php worker.php"], ["php", "worker.php"]),
    (values.to_command, ["php", "my worker.php", 5], ["php", "my worker.php", "5"]),
]

REFUSED: list[tuple[Callable[[object], Any], object]] = [
    (values.to_int, "five"),
    (values.to_int, "1.5"),
    (values.to_int, 1.5),
    (values.to_int, []),
    (values.to_int, 2**70),
    (values.to_int, "9" * 5000),
    (values.to_int, float("inf")),
    (values.to_float, "x"),
    (values.to_float, "nan"),
    (values.to_float, 10**400),
    (values.to_float, {}),
    (values.to_bool, "2"),
    (values.to_bool, []),
    (values.to_string, []),
    (values.to_string, {}),
    (values.to_duration, "60"),
    (values.to_duration, "-5s"),
    (values.to_duration, 1.5),
    (values.to_duration, True),
    (values.to_duration, 2**80),
    (values.to_duration, []),
    (values.to_string_list, {"a": 1}),
    (values.to_string_list, [["a"]]),
    (values.to_string_map, "a=b"),
    (values.to_string_map, {"a": {"b": 1}}),
    (values.to_map, ["a"]),
    (values.to_command, 5),
    (values.to_command, {"a": 1}),
    (values.to_command, "php 'a"),
]


def _case(case: Any) -> str:
    return case.__name__ if callable(case) else repr(case)[:30]


@pytest.mark.parametrize(("convert", "given", "expected"), CONVERTED, ids=_case)
def test_a_value_is_converted_to_the_type_of_its_key(
    convert: Callable[[object], Any], given: object, expected: Any
) -> None:
    result = convert(given)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("convert", "given"), REFUSED, ids=_case)
def test_an_unreadable_value_is_refused_with_the_expected_form(convert: Callable[[object], Any], given: object) -> None:
    with pytest.raises(Unreadable) as refused:
        convert(given)
    assert refused.value.message
    assert refused.value.expected


@pytest.mark.parametrize(("word", "meant"), [("yes", "true"), ("On", "true"), ("no", "false"), ("off", "false")])
def test_yes_and_no_are_strings_and_the_hint_has_the_correct_word(word: str, meant: str) -> None:
    with pytest.raises(Unreadable) as refused:
        values.to_bool(word)
    assert refused.value.hint == f"write {meant}"


def test_a_message_shortens_scalars_and_never_quotes_the_content_of_a_map() -> None:
    assert values.shown("a") == '"a"'
    assert values.shown("a\nb\udc80") == r'"a\nb\udc80"'
    assert values.shown("amqp://guest:pw@host") == '"amqp://guest:***@host"'
    assert values.shown({"password": "x"}) == "a map"
    assert values.shown(["x"]) == "a list"
    assert len(values.shown("x" * 500)) == 60
    assert len(values.shown(10**5000)) == 60
