"""Rendering of ``rr kv``."""

from __future__ import annotations

from typing import Any

from pyroadrunner.cli.kv import render


def storage(**fields: Any) -> dict[str, Any]:
    return {"name": "cache", "driver": "memory", "items": 1234, "error": "", **fields}


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_storages_are_listed_with_their_sizes() -> None:
    assert rows(render.storages([storage()])) == [["STORAGE", "DRIVER", "ITEMS"], ["cache", "memory", "1,234"]]
    assert render.storages([]) == "no storages"


def test_a_storage_with_an_error_shows_it_in_one_line() -> None:
    table = rows(render.storages([storage(), storage(name="far", items=-1, error="no\n\tanswer")]))
    assert table[0] == ["STORAGE", "DRIVER", "ITEMS", "ERROR"]
    assert table[2] == ["far", "memory", "?", "no answer"]


def test_values_are_escaped_and_truncated() -> None:
    table = rows(render.values({"a": b"\x1b[31mred\r\n", "b": b"\xff", "c": b"x" * 1000}))
    assert table[1:3] == [["a", r"\x1b[31mred\r\n"], ["b", r"\xff"]]
    assert len(table[3][1]) <= 80


def test_a_value_is_text_in_json_if_possible() -> None:
    assert render.value("ключ".encode()) == {"text": "ключ"}
    assert render.value(b"\xff\x00") == {"base64": "/wA="}


def test_times_are_shown_with_the_time_left() -> None:
    table = rows(render.times({"a": 1_700_000_065.0, "b": None}, 1_700_000_000.0))
    assert table[1:] == [["a", "2023-11-14 22:14:25 UTC", "1 min 5 s"], ["b", "never", ""]]
