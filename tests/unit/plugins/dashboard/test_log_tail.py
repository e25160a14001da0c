"""The last lines of the log: filters and bounds."""

from __future__ import annotations

import logging

from pyroadrunner.contracts import LogLine
from pyroadrunner.plugins.dashboard.log_tail import LogFilter, LogTail


def line(message: str, level: int = logging.INFO, channel: str = "http", **fields: object) -> LogLine:
    return LogLine(1_500_000_000, level, channel, message, fields)


def messages(tail: LogTail, after: int = 0, most: int = 100, **chosen: object) -> list[str]:
    return [one.message for one in tail.lines(LogFilter(**chosen), after, most)]  # type: ignore[arg-type]


def test_lines_are_chosen_by_level_channel_and_text() -> None:
    tail = LogTail()
    tail.add(line("one", pid=7))
    tail.add(line("two", logging.ERROR, "jobs"))
    tail.add(line("three", logging.WARNING, "service.clock"))
    assert messages(tail) == ["one", "two", "three"]
    assert messages(tail, level=logging.WARNING) == ["two", "three"]
    assert messages(tail, channel="service") == ["three"]
    assert messages(tail, channel="serv") == []
    assert messages(tail, text="PID=7") == ["one"]
    assert messages(tail, text="TW") == ["two"]
    assert tail.channels() == ["http", "jobs", "service.clock"]


def test_only_the_newest_lines_behind_a_number_are_given() -> None:
    tail = LogTail(lines=3)
    for number in range(5):
        tail.add(line(str(number)))
    assert tail.last == 5
    assert messages(tail) == ["2", "3", "4"]
    assert messages(tail, after=4) == ["4"]
    assert messages(tail, after=5) == []
    assert messages(tail, most=2) == ["3", "4"]
    [shown] = tail.lines(LogFilter(), 4, 10)
    assert (shown.seq, shown.time, shown.level) == (5, 1.5, "info")


def test_long_texts_are_cut_when_they_come() -> None:
    tail = LogTail()
    tail.add(line("x" * 100_000, body=b"y" * 100_000, text="z" * 100_000, **{f"f{n}": n for n in range(100)}))
    [kept] = tail._lines
    assert sum(len(str(value)) for value in kept.fields.values()) + len(kept.message) < 10_000
    [shown] = tail.lines(LogFilter(), 0, 1)
    assert len(shown.fields) == 40
