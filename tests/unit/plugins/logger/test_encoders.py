"""The bytes of a log line in every format."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pyroadrunner.plugins.logger.encoders import encoder, level_name

NS = 1_795_487_620_072_266_333  # 2026-11-24T02:33:40.072266333Z
FIELDS: dict[str, Any] = {"k": "v", "n": 1, "ok": True, "none": None, "list": [1, "a"]}
SPACED = '{"k": "v", "n": 1, "ok": true, "none": null, "list": [1, "a"]}'
TIGHT = '"k":"v","n":1,"ok":true,"none":null,"list":[1,"a"]'

LOOKS = [
    ("production", True, f'{{"level":"info","ts":{NS},"logger":"service","msg":"hi",{TIGHT}}}\n'),
    ("production", False, f"{NS}\tinfo\tservice\thi\t{SPACED}\n"),
    ("development", False, f"2026-11-24T02:33:40+0000\tINFO\tservice     \thi\t{SPACED}\n"),
    (
        "development",
        True,
        f'{{"level":"INFO","ts":"2026-11-24T02:33:40+0000","logger":"service     ","msg":"hi",{TIGHT}}}\n',
    ),
    ("raw", False, f"hi\t{SPACED}\n"),
    ("raw", True, f'{{"message":"hi",{TIGHT}}}\n'),
    ("weird", False, f"2026-11-24T02:33:40+0000\tINFO\tservice     \thi\t{SPACED}\n"),
    ("weird", True, f'{{"L":"INFO","T":"2026-11-24T02:33:40+0000","N":"service","M":"hi",{TIGHT}}}\n'),
    ("PRODUCTION", True, f'{{"level":"info","ts":{NS},"logger":"service","msg":"hi",{TIGHT}}}\n'),
]


@pytest.mark.parametrize(("mode", "as_json", "expected"), LOOKS)
def test_each_mode_and_encoding_has_its_format(mode: str, as_json: bool, expected: str) -> None:
    line = encoder(mode, as_json=as_json)(logging.INFO, NS, "service", "hi", FIELDS)
    assert line == expected.encode()


NO_FIELDS = [
    ("production", True, f'{{"level":"warn","ts":{NS},"logger":"http","msg":"m"}}\n'),
    ("production", False, f"{NS}\twarn\thttp\tm\n"),
    ("development", False, "2026-11-24T02:33:40+0000\tWARN\thttp        \tm\n"),
    ("raw", False, "m\n"),
    ("raw", True, '{"message":"m"}\n'),
]


@pytest.mark.parametrize(("mode", "as_json", "expected"), NO_FIELDS)
def test_without_fields_nothing_follows_the_message(mode: str, as_json: bool, expected: str) -> None:
    assert encoder(mode, as_json=as_json)(logging.WARNING, NS, "http", "m", {}) == expected.encode()


def test_keys_read_by_octane_exist_with_their_types() -> None:
    fields = {"status": 200, "method": "GET", "URI": "/a?b=1", "remote_address": "127.0.0.1:5", "elapsed": 0}
    line = encoder("production", as_json=True)(logging.INFO, NS, "http", "http log", fields)
    assert line == (
        b'{"level":"info","ts":1795487620072266333,"logger":"http","msg":"http log","status":200,"method":"GET",'
        b'"URI":"/a?b=1","remote_address":"127.0.0.1:5","elapsed":0}\n'
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_text_is_escaped_only_where_json_requires_it(as_json: bool) -> None:
    line = encoder("production", as_json=as_json)(logging.INFO, NS, "app", "x", {"a": '<é "\n\\>\u2028\x01'})
    text = line.decode()
    assert '<é \\"\\n\\\\>\u2028\\u0001' in text
    assert text.count("\n") == 1


def test_a_message_is_verbatim_in_the_console() -> None:
    line = encoder("raw", as_json=False)(logging.INFO, NS, "server", " a\n\tb ", {})
    assert line == b" a\n\tb \n"


def test_a_json_message_stays_a_string() -> None:
    message = '{"type":"throwable","message":"é"}'
    line = encoder("production", as_json=True)(logging.INFO, NS, "server", message, {})
    assert json.loads(line)["msg"] == message


def test_times_and_durations_are_numbers_in_json_and_text_in_the_console() -> None:
    fields = {"start": datetime(2026, 11, 24, 2, 33, 40, 500_000, UTC), "took": timedelta(microseconds=8.5e3)}
    assert json.loads(encoder("production", as_json=True)(logging.INFO, NS, "a", "m", fields)) == {
        "level": "info",
        "ts": NS,
        "logger": "a",
        "msg": "m",
        "start": 1_795_487_620_500_000_000,
        "took": 0.0085,
    }
    line = encoder("development", as_json=False)(logging.INFO, NS, "a", "m", fields)
    assert line.endswith(b'\t{"start": "2026-11-24T02:33:40+0000", "took": "8.5ms"}\n')


def test_microseconds_have_their_sign() -> None:
    line = encoder("development", as_json=False)(logging.INFO, NS, "a", "m", {"t": timedelta(microseconds=9)})
    assert '{"t": "9µs"}' in line.decode()


class Moody:
    def __str__(self) -> str:
        raise RuntimeError("no")


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


ODD = [
    (b"a\xff", "a\ufffd"),
    ("half \ud800", "half \\ud800"),
    (10**5000, hex(10**5000)),
    ({"x": {1: (1, 2)}}, {"x": {"1": [1, 2]}}),
    ({3}, [3]),
    (ValueError("wrong"), "wrong"),
    (Moody(), "<Moody that can't be shown: RuntimeError>"),
    (circle(), "<list that can't be shown: RecursionError>"),
]


@pytest.mark.parametrize(
    ("value", "shown"), ODD, ids=[type(value).__name__ + str(i) for i, (value, _) in enumerate(ODD)]
)
@pytest.mark.parametrize("as_json", [True, False])
def test_any_field_gives_a_line(value: Any, shown: Any, as_json: bool) -> None:
    line = encoder("production", as_json=as_json)(logging.INFO, NS, "a", "m", {"f": value, "g": 1})
    data = json.loads(line if as_json else line.split(b"\t")[4])
    assert data["g"] == 1
    if as_json or not isinstance(value, str):
        assert data["f"] == shown


def test_non_finite_numbers_do_not_break_a_line() -> None:
    line = encoder("production", as_json=True)(logging.INFO, NS, "a", "m", {"f": float("nan")})
    assert json.loads(line)["f"] is None


def test_a_lone_surrogate_in_the_message_gives_a_line() -> None:
    for as_json in (True, False):
        line = encoder("production", as_json=as_json)(logging.INFO, NS, "a", "x\ud800", {})
        assert b"x\\" in line
        line.decode("utf-8")


def test_a_field_never_replaces_a_key_of_the_head() -> None:
    line = encoder("production", as_json=True)(logging.INFO, NS, "a", "m", {"msg": "other", "level": "x"})
    assert json.loads(line) == {"level": "info", "ts": NS, "logger": "a", "msg": "m", "msg_": "other", "level_": "x"}


def test_the_line_ending_is_configurable_and_never_empty() -> None:
    assert encoder("raw", as_json=False, ending="\r\n")(logging.INFO, NS, "a", "m", {}) == b"m\r\n"
    assert encoder("raw", as_json=False, ending="")(logging.INFO, NS, "a", "m", {}) == b"m\n"


@pytest.mark.parametrize(("level", "name"), [(5, "debug"), (25, "info"), (41, "error"), (60, "fatal")])
def test_levels_between_the_known_ones_have_the_lower_name(level: int, name: str) -> None:
    assert level_name(level) == name
