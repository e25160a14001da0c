"""Many lines of one kind become one a second."""

from __future__ import annotations

from typing import Any

from pyroadrunner.httpd.flood_log import FloodLog


class KeptLog:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        self.lines.append((message, fields))


class Scene:
    def __init__(self) -> None:
        self.now = 100.0
        self.kept = KeptLog()
        self.log = FloodLog(self.kept, lambda: self.now)  # type: ignore[arg-type]


def test_lines_of_one_kind_are_counted_within_a_second() -> None:
    it = Scene()
    for number in range(5):
        it.log.warning("refused", "a", connection=number)
    it.log.warning("refused", "b", connection=9)
    assert it.kept.lines == [("refused", {"connection": 0}), ("refused", {"connection": 9})]
    it.now += 1.0
    it.log.warning("refused", "a", connection=5)
    assert it.kept.lines[2:] == [("refused", {"connection": 5, "times": 5})]
    it.now += 1.0
    it.log.warning("refused", "a", connection=6)
    assert it.kept.lines[3:] == [("refused", {"connection": 6})]


def test_kinds_that_clients_invent_take_no_memory() -> None:
    it = Scene()
    for number in range(10_000):
        it.log.error("failed", str(number))
    assert len(it.kept.lines) == 10_000
    assert len(it.log._written) <= 256
